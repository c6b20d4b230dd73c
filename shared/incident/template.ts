import { readFileSync } from 'node:fs';

/** Markdown with `{{places}}`, kept beside this file so that it can be read and changed as what it is. */
export interface Templates {
  issue: string;
  comment: string;
}

export function loadTemplates(): Templates {
  return {
    issue: readFileSync(new URL('./issue.md', import.meta.url), 'utf8'),
    comment: readFileSync(new URL('./comment.md', import.meta.url), 'utf8'),
  };
}

/** Fills the places in one pass, so that a value can never be read as a place. An unknown place is our own mistake. */
export function fill(template: string, values: Readonly<Record<string, string>>): string {
  const filled = template.replaceAll(/\{\{(\w+)\}\}/g, (_place, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`the incident template names an unknown place {{${name}}}`);
    return value;
  });
  return `${filled.replaceAll(/\n{3,}/g, '\n\n').trim()}\n`;
}
