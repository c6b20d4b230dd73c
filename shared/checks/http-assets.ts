import type { Attempt, Observation } from './check';
import { headerOf } from './http-header-field';
import { type AssetKind, assetsOf, type PageAsset } from './http-page';
import { observeNoAnswer } from './http-problem';
import { type TravelHeader, withoutConfidential } from './http-redirect';
import { askHttp, type HttpAnswer, type HttpTls, NoHttpAnswer } from './http-request';
import { observationOf, type Problem } from './problems';

/** Most assets of one page that are asked for, and most at the same time. */
const mostAssets = 100;
const atOnce = 6;
/** Enough to see that a file is not empty. */
const assetBytes = 1024;

/** https://mimesniff.spec.whatwg.org/#javascript-mime-type */
const scriptType = /^(application|text)\/(x-)?(java|ecma|live)script[0-9.]*$|^text\/jscript$/;
const kinds: Record<AssetKind, { isRight: (type: string) => boolean; what: string }> = {
  script: { isRight: (type) => scriptType.test(type), what: 'JavaScript' },
  stylesheet: { isRight: (type) => type === 'text/css', what: 'CSS' },
  other: { isRight: (type) => type !== 'text/html', what: 'a file' },
};

const incompleteRemedy =
  'The page names a file that the server does not have: the frontend is not deployed completely, or an old page is served from a cache.';

export interface Page {
  url: URL;
  html: string;
  headers: readonly TravelHeader[];
  tls: HttpTls | undefined;
}

/** Asks for the first hashed asset of a page, or for all of them. */
export async function askForAssets(page: Page, which: 'first' | 'all', attempt: Attempt): Promise<Observation> {
  const assets = assetsOf(page.html, page.url);
  const first = assets.find(({ hashed }) => hashed) ?? assets[0];
  if (first === undefined) {
    return {
      verdict: 'fail',
      found: 'a page that names no script and no stylesheet',
      remedy: 'See whether this is the page of the application, and not one of a proxy or of an error.',
      diagnostics: { text: page.html, keep: 'start' },
    };
  }
  const asked = which === 'first' ? [first] : assets.slice(0, mostAssets);
  const problems: Problem[] = [];
  const waiting = [...asked];
  const worker = async () => {
    for (let asset = waiting.shift(); asset !== undefined; asset = waiting.shift()) {
      const problem = await problemOf(asset, page, attempt);
      if (problem !== null) problems.push(problem);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (which === 'all' && assets.length > mostAssets) {
    const found = `${assets.length} assets, of which only the first ${mostAssets} were asked for`;
    problems.push({ verdict: 'warn', found, remedy: 'Ask for the others with checks of their own.' });
  }
  return observationOf(problems, which === 'first' ? `the asset ${first.url.pathname}` : `${asked.length} assets`);
}

async function problemOf(asset: PageAsset, page: Page, attempt: Attempt): Promise<Problem | null> {
  const sameOrigin = asset.url.origin === page.url.origin;
  const headers = sameOrigin ? page.headers : withoutConfidential(page.headers);
  try {
    const answer = await askHttp({
      url: asset.url,
      method: 'GET',
      headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])),
      body: null,
      maxBytes: assetBytes,
      signal: attempt.signal,
      ...(page.tls === undefined || !sameOrigin ? {} : { tls: page.tls }),
    });
    const wrong = mismatch(answer, asset.kind);
    return wrong === null
      ? null
      : { verdict: 'fail', found: `asset ${asset.url.href} ${wrong}`, remedy: incompleteRemedy };
  } catch (thrown) {
    if (!(thrown instanceof NoHttpAnswer)) throw thrown;
    const { verdict, found, remedy = incompleteRemedy } = observeNoAnswer(thrown, attempt.timeoutMs);
    return {
      verdict: verdict === 'fail' ? 'fail' : 'inconclusive',
      found: `asset ${asset.url.href}: ${found}`,
      remedy,
    };
  }
}

function mismatch(answer: HttpAnswer, kind: AssetKind): string | null {
  if (answer.status !== 200) return `with status ${answer.status}`;
  const type = headerOf(answer.headers, 'content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';
  const { isRight, what } = kinds[kind];
  if (!isRight(type)) return type === '' ? 'without a content type' : `as ${type} instead of ${what}`;
  return answer.body === '' ? 'with nothing in it' : null;
}
