import { SafeguardError } from '../../errors';
import { quote } from '../../host/quote';
import type { Attempt } from '../check';
import type { HostProbe } from '../context';
import { captureInTime } from '../expectations';
import { askHost } from '../hosts/ask-host';
import { headerOf } from '../http-header-field';
import type { SendableHeader } from '../http-headers';
import { askHttp } from '../http-request';
import { curlTls, readHttpTls } from '../http-tls';
import { valueAt } from '../json-path';
import { said } from '../words';
import type { Reading } from './judge';
import type { VersionSource } from './sources';

const maxFileBytes = 64 * 1024;
const maxBodyBytes = 1024 * 1024;
const longestVersion = 200;

/** A source with everything filled in that only the run knows. */
export type BoundSource =
  | { kind: 'release'; label: string; component: string; path: string }
  | { kind: 'file'; label: string; path: string; spec: VersionSource }
  | { kind: 'url'; label: string; url: URL; headers: readonly SendableHeader[]; spec: VersionSource };

/**
 * Asks one source.
 *
 * @throws NoHttpAnswer
 * @throws SafeguardError where there is no version to be read, and as `HostProbe` does
 */
export async function readVersion(source: BoundSource, host: HostProbe | null, attempt: Attempt): Promise<Reading> {
  const { kind, label } = source;
  switch (source.kind) {
    case 'release': {
      const versions = await onHost(host, label).versions(attempt.signal);
      const version = versions[source.component];
      if (version === undefined) throw noVersion(label, 'the host does not tell its version');
      return { source: label, kind, version };
    }
    case 'file': {
      const question = {
        command: readCommand(source.path),
        program: 'head',
        whereFrom: 'Install coreutils on the host.',
      };
      const { stdout } = await askHost(onHost(host, label), question, attempt);
      return { source: label, kind, version: versionIn(stdout, label, source.spec) };
    }
    case 'url':
      return { source: label, kind, version: await fromUrl(source, attempt) };
  }
}

function onHost(host: HostProbe | null, label: string): HostProbe {
  if (host !== null) return host;
  throw noVersion(label, 'there is no host to ask');
}

function readCommand(path: string): string {
  return `head -c ${maxFileBytes} < ${quote(path)}`;
}

async function fromUrl(source: BoundSource & { kind: 'url' }, attempt: Attempt): Promise<string> {
  const { label, spec, url } = source;
  const tls = await readHttpTls(spec.tls);
  const answer = await askHttp({
    url,
    method: 'GET',
    headers: Object.fromEntries(source.headers.map(({ name, value }) => [name, value])),
    body: null,
    maxBytes: maxBodyBytes,
    signal: attempt.signal,
    ...(tls === undefined ? {} : { tls }),
  });
  if (answer.status !== 200) throw noVersion(label, `it answered status ${answer.status}`);
  if (spec.header === undefined) return versionIn(answer.body, label, spec);
  const header = headerOf(answer.headers, spec.header);
  if (header === undefined) throw noVersion(label, `its answer has no header ${spec.header}`);
  return versionIn(header, label, spec);
}

/** @throws SafeguardError `version-unknown`, `pattern-too-slow` */
export function versionIn(text: string, label: string, spec: Pick<VersionSource, 'json' | 'matches'>): string {
  const whole = spec.json === undefined ? text : fromJson(text, spec.json, label);
  const version = (spec.matches === undefined ? whole : (captureInTime(spec.matches, whole) ?? '')).trim();
  if (version === '') {
    const lacks = spec.matches !== undefined && whole.trim() !== '';
    throw noVersion(label, lacks ? `nothing in ${said(whole)} matches /${spec.matches}/` : 'it is empty');
  }
  if (version.length <= longestVersion && !/[\r\n]/.test(version)) return version;
  throw noVersion(label, `${said(version)} is no version but a longer text; say with json or matches where it stands`);
}

function fromJson(text: string, path: string, label: string): string {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw noVersion(label, `${said(text.slice(0, longestVersion))} is not JSON`);
  }
  const value = valueAt(document, path);
  // A fraction such as 1.10 has lost its zero on the way.
  if (typeof value === 'string' || Number.isSafeInteger(value)) return String(value);
  throw noVersion(label, `there is no text at ${path}`);
}

function noVersion(label: string, why: string): SafeguardError {
  return new SafeguardError(`no data: no version from ${label}: ${why}`, {
    fault: 'host',
    code: 'version-unknown',
    remedy: 'Ask by hand, and correct where the check looks for the version or what writes it there.',
  });
}

/** The same by hand. */
export function byHand(source: BoundSource): string {
  switch (source.kind) {
    case 'release':
      return `readlink ${quote(source.path)}`;
    case 'file':
      return `cat ${quote(source.path)}`;
    case 'url':
      return [
        'curl -sS -i',
        ...curlTls(source.spec.tls),
        ...source.headers.map(({ curl }) => curl),
        quote(source.url.href),
      ].join(' ');
  }
}
