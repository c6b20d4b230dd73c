import { SafeguardError } from '../../shared/errors';
import { parseManifest } from '../../shared/manifest/load';

export interface Parts {
  app?: string;
  hosts?: string;
  components?: string;
  rest?: string[];
}

/** A small valid manifest whose parts a test replaces. Line 5 and the lines after it hold the hosts. */
export function manifestText(parts: Parts = {}): string {
  const {
    app = 'shop',
    hosts = '{ web-01: { address: 10.0.0.1, user: deploy, roles: [web] }, web-02: { address: 10.0.0.2, user: deploy, roles: [web] } }',
    components = `{ api: { root: /opt/shop/api, artifact: "build/api-\${version}.tar.gz" } }`,
    rest = [],
  } = parts;
  const lines = [`app: ${app}`, 'environments:', '  staging:', `    hosts: ${hosts}`, `    components: ${components}`];
  return [...lines, ...rest.map((line) => `    ${line}`), ''].join('\n');
}

/** What a call throws, as a SafeguardError; fails when it throws nothing or something else. */
export function refusal(call: () => unknown): SafeguardError {
  try {
    call();
  } catch (error) {
    if (error instanceof SafeguardError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** The message lines with which a manifest is refused. */
export function complaints(parts: Parts | string): string[] {
  const text = typeof parts === 'string' ? parts : manifestText(parts);
  return refusal(() => parseManifest(text, 'm.yml')).message.split('\n');
}
