import { SafeguardError } from '../../errors';
import { askHttp, type HttpTls } from '../http-request';
import { parseStats, type StatsRow } from './csv';

/** About 10,000 servers. */
const maxBytes = 8 * 1024 * 1024;

/**
 * The statistics of one HAProxy.
 *
 * @throws NoHttpAnswer
 * @throws SafeguardError `stats-not-data`, `login-refused`
 */
export async function askStats(
  url: URL,
  login: { user: string; password: string } | null,
  tls: HttpTls | undefined,
  signal: AbortSignal,
): Promise<StatsRow[]> {
  const headers: Record<string, string> =
    login === null
      ? {}
      : { authorization: `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}` };
  const question = { url, method: 'GET', headers, body: null, maxBytes, signal };
  const answer = await askHttp(tls === undefined ? question : { ...question, tls });
  if (answer.status === 401 || answer.status === 403) {
    throw new SafeguardError(`no data: ${url.href} answered status ${answer.status}`, {
      fault: 'configuration',
      code: 'login-refused',
      remedy:
        'Give the check the user and the password of the statistics page: stats auth in the configuration of HAProxy.',
    });
  }
  if (answer.status === 200 && !answer.cut) return parseStats(answer.body);
  const what = answer.cut ? 'more than 8 MiB' : `status ${answer.status}`;
  throw new SafeguardError(`no data: ${url.href} answered ${what} instead of the statistics`, {
    fault: 'configuration',
    code: 'stats-not-data',
    remedy: 'Give the address of the statistics page: stats uri in the configuration of HAProxy.',
  });
}
