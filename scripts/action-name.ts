/** What the template calls itself. */
export const placeholder = 'example-action';

const taken = new Set(['drill', placeholder]);

/** Why an action cannot have this name, in one sentence, or null. Its bundle is dist/<name>, its post step's dist/<name>-post. */
export function problemOfName(name: string): string | null {
  const wellFormed = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) && name.length <= 40;
  if (!wellFormed) {
    return `"${name}" is no name for an action: lower-case words joined by hyphens, at most 40 characters`;
  }
  if (taken.has(name) || name.endsWith('-post')) return `"${name}" is taken: dist/${name} is something else`;
  return null;
}
