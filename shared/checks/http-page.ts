/** A file that a page needs. */
export interface PageAsset {
  url: URL;
  kind: AssetKind;
  /** Its name holds a hash of its content, as bundlers write it. */
  hashed: boolean;
}
export type AssetKind = 'script' | 'stylesheet' | 'other';

interface Tag {
  /** In lower case. */
  name: string;
  /** The first value of each attribute; names in lower case. */
  attributes: Map<string, string>;
}

/** Elements whose content is text for the tokenizer, so that a tag in it is none (HTML standard, 13.2.5). */
const rawText = new Set(['script', 'style', 'textarea', 'title', 'iframe', 'noembed', 'noframes', 'noscript', 'xmp']);
const blanks = ' \t\n\f\r';

/**
 * Scripts, stylesheets and preloaded files of a page, each once, in its order. Reads the page once from start to end,
 * whatever is in it.
 */
export function assetsOf(html: string, page: URL): PageAsset[] {
  let base = page;
  let baseIsKnown = false;
  const found = new Map<string, PageAsset>();
  for (const tag of tagsIn(html)) {
    const target = tag.attributes.get(tag.name === 'script' ? 'src' : 'href');
    if (target === undefined) continue;
    const url = resolve(target, base);
    if (url === null) continue;
    if (tag.name === 'base' && !baseIsKnown) {
      base = url;
      baseIsKnown = true;
      continue;
    }
    const kind = kindOf(tag);
    if (kind !== null && !found.has(url.href)) found.set(url.href, { url, kind, hashed: isHashed(url) });
  }
  return [...found.values()];
}

function resolve(target: string, base: URL): URL | null {
  const text = decoded(target).trim();
  if (text === '' || !URL.canParse(text, base.href)) return null;
  const url = new URL(text, base);
  url.hash = '';
  return /^https?:$/.test(url.protocol) ? url : null;
}

function kindOf({ name, attributes }: Tag): AssetKind | null {
  const value = (attribute: string) => (attributes.get(attribute) ?? '').trim().toLowerCase();
  if (name === 'script') return /^(module|[a-z]+\/(x-)?(java|ecma)script)?$/.test(value('type')) ? 'script' : null;
  if (name !== 'link') return null;
  const relations = value('rel').split(/\s+/);
  if (relations.includes('stylesheet')) return 'stylesheet';
  if (relations.includes('modulepreload')) return 'script';
  if (!relations.includes('preload')) return null;
  if (value('as') === 'script') return 'script';
  return value('as') === 'style' ? 'stylesheet' : 'other';
}

/** `main.3f2a1b9c.js`, `index-DiwrgTda.css`, `chunk-PQ7XN2LC.mjs`; not `main-polyfills.js`. */
function isHashed({ pathname }: URL): boolean {
  const hash = /[.\-_~]([A-Za-z0-9_-]{6,64})(?:\.min)?\.[a-z0-9]{2,5}$/.exec(pathname)?.[1] ?? '';
  const tail = hash.slice(-8);
  return /^[0-9a-f]{6,}$/.test(hash) || /\d/.test(tail) || (/[a-z]/.test(tail) && /[A-Z]/.test(tail));
}

function* tagsIn(html: string): Generator<Tag> {
  let at = 0;
  for (;;) {
    at = html.indexOf('<', at);
    if (at < 0) return;
    if (html.startsWith('<!--', at)) {
      at = after(html, '-->', at + 4);
    } else if (/[!/?]/.test(html[at + 1] ?? '')) {
      at = after(html, '>', at + 1);
    } else if (/[A-Za-z]/.test(html[at + 1] ?? '')) {
      const { tag, end } = readTag(html, at + 1);
      at = rawText.has(tag.name) ? afterRawText(html, tag.name, end) : end;
      yield tag;
    } else {
      at += 1;
    }
  }
}

function after(html: string, what: string, from: number): number {
  const at = html.indexOf(what, from);
  return at < 0 ? html.length : at + what.length;
}

function afterRawText(html: string, name: string, from: number): number {
  const closing = new RegExp(`</${name}(?=[\\s/>])`, 'gi');
  closing.lastIndex = from;
  return closing.test(html) ? closing.lastIndex : html.length;
}

function readTag(html: string, from: number): { tag: Tag; end: number } {
  let at = skip(html, from, (character) => !`${blanks}/>`.includes(character));
  const tag: Tag = { name: html.slice(from, at).toLowerCase(), attributes: new Map() };
  for (;;) {
    at = skip(html, at, (character) => `${blanks}/`.includes(character));
    if (at >= html.length || html[at] === '>') return { tag, end: at + 1 };
    const nameEnd = skip(html, at + 1, (character) => !`${blanks}/>=`.includes(character));
    const name = html.slice(at, nameEnd).toLowerCase();
    const equals = skip(html, nameEnd, (character) => blanks.includes(character));
    let value = '';
    at = nameEnd;
    if (html[equals] === '=') {
      const start = skip(html, equals + 1, (character) => blanks.includes(character));
      const quote = html[start] === '"' || html[start] === "'" ? html[start] : null;
      const end =
        quote === null
          ? skip(html, start, (character) => !`${blanks}>`.includes(character))
          : after(html, quote, start + 1) - 1;
      value = html.slice(quote === null ? start : start + 1, end);
      at = quote === null ? end : end + 1;
    }
    if (!tag.attributes.has(name)) tag.attributes.set(name, value);
  }
}

function skip(html: string, from: number, goesOn: (character: string) => boolean): number {
  let at = from;
  while (at < html.length && goesOn(html[at] ?? '')) at += 1;
  return at;
}

const entities: Record<string, string> = { amp: '&', quot: '"', apos: "'", lt: '<', gt: '>' };

/** Character references, as far as they occur in addresses. */
function decoded(text: string): string {
  return text.replace(
    /&(?:(amp|quot|apos|lt|gt)|#(\d{1,6})|#[xX]([0-9A-Fa-f]{1,5}));/g,
    (whole, name, decimal, hex) => {
      if (name !== undefined) return entities[name] ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}
