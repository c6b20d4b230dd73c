import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { actionNames } from './entries';

export interface Document {
  /** Relative to the repository, with slashes. */
  file: string;
  text: string;
}

/** A block of code in a document. */
export interface Example {
  file: string;
  /** Of the opening fence, from 1. */
  line: number;
  language: string;
  text: string;
}

/** The Markdown that users read. */
export function documents(root: string): Document[] {
  const pages = ['README.md', 'SECURITY.md', 'CONTRIBUTING.md'];
  if (existsSync(join(root, 'docs'))) {
    const below = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).sort();
    pages.push(...below.flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])));
  }
  pages.push(...actionNames(root).map((name) => `actions/${name}/README.md`));
  return pages
    .filter((file) => existsSync(join(root, file)))
    .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }));
}

export function examples(all: readonly Document[], language: string): Example[] {
  return all.flatMap(({ file, text }) =>
    [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
      .map(([, name = '', code = ''], index, matches) => ({
        file,
        line: text.slice(0, matches[index]?.index).split('\n').length,
        language: name,
        text: code,
      }))
      .filter((example) => example.language === language),
  );
}

/** Whole workflows; what is only jobs, or only the body of a job, gets the rest. */
export function workflowExamples(all: readonly Document[]): Example[] {
  return examples(all, 'yaml').flatMap((example) => {
    const { text } = example;
    if (!/^\s*(?:- )?uses: /m.test(text)) return [];
    if (/^on:/m.test(text)) return [example];
    if (/^jobs:/m.test(text)) return [{ ...example, text: `${trigger}${text}` }];
    const body = text.replaceAll(/^(?=.)/gm, '    ');
    return [{ ...example, text: `${trigger}jobs:\n  example:\n    runs-on: ubuntu-latest\n${body}` }];
  });
}

const trigger = `on:
  workflow_dispatch:
    inputs:
      version: { type: string, required: true }
      reason: { type: string, required: true }
`;
