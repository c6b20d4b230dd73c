import { show } from '../manifest/text';
import { templated } from './fields';

const secretPlaceholder = '$' + '{secret.NAME}';

/** Address of a check that speaks HTTP; its placeholders are checked with the rest of the check. */
export const urlField = templated
  .superRefine((template, context) => {
    const problem = urlProblem(template);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  })
  .describe('Address, http or https, without user and password.');

function urlProblem(template: string): string | null {
  if (!/^https?:\/\//i.test(template)) {
    return `${show(template)} is not allowed: an address begins with http:// or https://`;
  }
  const sample = template.replace(/\[\$\{[^}]*\}\]|\$\{[^}]*\}/g, '1');
  if (!URL.canParse(sample)) return `${show(template)} is not a web address`;
  const { username, password } = new URL(sample);
  if (username === '' && password === '') return null;
  return `must not hold a user or a password; send an Authorization header with ${secretPlaceholder}`;
}

/** The address of something below another one, which may itself have a path. */
export function below(base: URL, path: string): URL {
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(/\/+$/, '')}/${path}`;
  return url;
}
