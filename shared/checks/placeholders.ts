import { SafeguardError } from '../errors';
import type { CheckContext, HostProbe } from './context';

/**
 * Where a text ends up decides what it may name. `text`: host and version. `secret`: secrets as well. `shell`: as `text`,
 * while undotted names such as `${HOME}` are left to the shell.
 */
export type TextKind = 'text' | 'secret' | 'shell';

/** A text in pieces, so that a secret can be shown by its name wherever its value must not appear. */
export type Piece = { text: string } | { secret: string };

const pattern = /\$?\$\{([^}]*)\}/g;
const secretName = /^secret\.([A-Za-z_][A-Za-z0-9_]*)$/;
const hostNames = ['host.name', 'host.address'];
/** Without a meaning inside or outside of any kind of shell quotes. */
const harmlessInShell = /^[A-Za-z0-9._+:@%][A-Za-z0-9._+:@%-]*$/;

/** What is wrong with the placeholders of a text, one sentence each; `$${…}` stands for a literal `${…}`. */
export function placeholderProblems(text: string, kind: TextKind, perHost: boolean): string[] {
  return [...text.matchAll(pattern)].flatMap(([whole, name = '']) => {
    if (whole.startsWith('$$') || (kind === 'shell' && isForShell(name))) return [];
    if (name === 'version') return [];
    if (hostNames.includes(name)) {
      if (perHost) return [];
      return [`${whole} has no meaning in a check that is asked once; add "each: host" to ask it for every host`];
    }
    if (name.startsWith('secret.')) return secretProblems(whole, name, kind);
    return [`unknown placeholder ${whole}; known are ${known(kind)}; write $${whole} for the text itself`];
  });
}

function secretProblems(whole: string, name: string, kind: TextKind): string[] {
  if (kind === 'secret' && secretName.test(name)) return [];
  if (kind === 'secret') return [`${whole} does not name an environment variable`];
  if (kind === 'shell') {
    return [`a secret is never pasted into a command; list it under "secrets" and use it as an environment variable`];
  }
  return [`${whole} is not allowed here, because this text is reported; secrets belong in headers or body`];
}

function known(kind: TextKind): string {
  const names = ['$' + '{version}', '$' + '{host.name}', '$' + '{host.address}'];
  if (kind === 'secret') names.push('$' + '{secret.NAME}');
  return names.join(', ');
}

/** Whether a shell command means the name for the shell: what has no dot and is not the version. */
function isForShell(name: string): boolean {
  return name !== 'version' && !/^[A-Za-z_]\w*\.\w+$/.test(name);
}

/** What the placeholders of one run and one host stand for. */
export interface PlaceholderValues {
  version: string | null;
  host: { name: string; address: string } | null;
}

export function valuesFor(host: HostProbe | null, context: CheckContext): PlaceholderValues {
  const known = context.environment.hosts.find((candidate) => candidate.name === host?.host);
  return {
    version: context.expectVersion,
    host: known === undefined ? null : { name: known.name, address: known.ssh?.address ?? '127.0.0.1' },
  };
}

/** @throws SafeguardError `placeholder-without-value`. */
export function fill(text: string, values: PlaceholderValues): string {
  return text.replace(pattern, (whole, name: string) => {
    if (whole.startsWith('$$')) return whole.slice(1);
    return standsFor(whole, name, values);
  });
}

/** As `fill`, with brackets around an IPv6 address that has none. */
export function fillUrl(url: string, values: PlaceholderValues): string {
  const { host } = values;
  if (host === null || !host.address.includes(':')) return fill(url, values);
  const bare = fill(url.replace(/\[(\$\{host\.address\})\]/g, '$1'), {
    ...values,
    host: { ...host, address: `[${host.address}]` },
  });
  return bare;
}

/**
 * As `fill`, for shell text. Values are pasted, so that they work in any quotes; that is why only values without any
 * meaning to a shell are accepted.
 *
 * @throws SafeguardError `placeholder-without-value`, `placeholder-unsafe`.
 */
export function fillShell(text: string, values: PlaceholderValues): string {
  return text.replace(pattern, (whole, name: string) => {
    if (isForShell(name)) return whole;
    if (whole.startsWith('$$')) return whole.slice(1);
    const value = standsFor(whole, name, values);
    if (harmlessInShell.test(value)) return value;
    throw new SafeguardError(`The value of ${whole}, ${JSON.stringify(value)}, cannot stand in a shell command.`, {
      fault: 'configuration',
      code: 'placeholder-unsafe',
      remedy: 'Use letters, digits and . _ + : @ % - only.',
    });
  });
}

/** As `fill`, with secrets kept apart. */
export function fillAround(text: string, values: PlaceholderValues): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    pieces.push({ text: text.slice(end, match.index) });
    end = match.index + match[0].length;
    const secret = match[0].startsWith('$$') ? undefined : secretName.exec(match[1] ?? '')?.[1];
    pieces.push(secret === undefined ? { text: fill(match[0], values) } : { secret });
  }
  pieces.push({ text: text.slice(end) });
  return pieces.filter((piece) => 'secret' in piece || piece.text !== '');
}

export function reveal(pieces: readonly Piece[], secrets: Readonly<Record<string, string>>): string {
  return pieces.map((piece) => ('secret' in piece ? (secrets[piece.secret] ?? '') : piece.text)).join('');
}

/** @throws SafeguardError `secret-missing` naming the first one that the action's environment does not have. */
export function secretValues(names: readonly string[], context: CheckContext): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => {
      const value = context.variables[name];
      if (value === undefined || value === '') {
        throw new SafeguardError(`no data: the secret ${name} is not in the environment of the action`, {
          fault: 'configuration',
          code: 'secret-missing',
          remedy: `Pass it to the step: env: ${name}: $\{{ secrets.${name} }}.`,
        });
      }
      return [name, value];
    }),
  );
}

function standsFor(whole: string, name: string, { version, host }: PlaceholderValues): string {
  if (name === 'version' && version !== null) return version;
  if (name === 'host.name' && host !== null) return host.name;
  if (name === 'host.address' && host !== null) return host.address;
  throw new SafeguardError(`no data: nothing is known here for ${whole}`, {
    fault: 'configuration',
    code: 'placeholder-without-value',
    remedy:
      name === 'version' ? 'Give expect-version, or leave the version out of the check.' : 'Ask the check per host.',
  });
}
