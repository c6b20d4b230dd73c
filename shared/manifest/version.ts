import { SafeguardError } from '../errors';
import { didYouMean } from './suggest';
import { show } from './text';

/** Versions become file names and parts of commands, so they hold nothing that a shell or a path would read. */
export const versionPattern = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/;

/** Returns the version unchanged. Throws SafeguardError `version-invalid`. */
export function validateVersion(version: string): string {
  if (versionPattern.test(version) && !version.includes('..')) return version;
  const found = version === '' ? 'The version is empty' : `The version ${show(version)} is not allowed`;
  throw new SafeguardError(
    `${found}: a version has 1 to 128 characters, starts with a letter or a digit, and holds only letters, digits and . _ + - (but not two dots in a row).`,
    {
      fault: 'configuration',
      code: 'version-invalid',
      remedy: 'Pass a version such as 1.4.2, v1.4.2 or a commit hash.',
    },
  );
}

const knownPlaceholders = ['version'];
const placeholder = /\$?\$\{([^}]*)\}?/g;

/** What is wrong with the placeholders of a template, one sentence each. */
export function placeholderProblems(template: string): string[] {
  const problems: string[] = [];
  for (const match of template.matchAll(placeholder)) {
    const [whole, name = ''] = match;
    if (whole.startsWith('$${')) continue;
    if (!whole.endsWith('}')) problems.push(`${show(whole)} lacks its closing brace`);
    else if (!knownPlaceholders.includes(name)) {
      problems.push(
        `unknown placeholder ${show(whole)}${didYouMean(name, knownPlaceholders)}; only \${version} is replaced here, and $\${ stands for a literal \${`,
      );
    }
  }
  return problems;
}

/**
 * Puts the version into a template: `${version}` is replaced, `$${` becomes a literal `${`.
 * Throws SafeguardError `version-invalid` or `placeholder-unknown`.
 */
export function substituteVersion(template: string, version: string): string {
  validateVersion(version);
  const [problem] = placeholderProblems(template);
  if (problem !== undefined) {
    throw new SafeguardError(`In ${show(template)}: ${problem}.`, {
      fault: 'configuration',
      code: 'placeholder-unknown',
      remedy: `Write \${version} where the version belongs.`,
    });
  }
  return template.replace(placeholder, (whole) => (whole.startsWith('$${') ? whole.slice(1) : version));
}
