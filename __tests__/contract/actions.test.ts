import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { readDefinition } from '../../scripts/action-definition';
import { actionNames } from '../../scripts/entries';
import { renderReadmes } from '../../scripts/readmes';
import { inspectSources } from '../support/action-sources';

const root = process.cwd();
const names = actionNames(root);
const secretName = /(^|-)(key|token|secret|password|passphrase)$|webhook-url$/;
const secretReader = /Secret$/;

it('there are actions to hold to the contract', () => {
  expect(names).not.toEqual([]);
});

describe.each(names)('the action %s', (name) => {
  const definition = readDefinition(root, name);
  const entry = `actions/${name}/src/index.ts`;
  const post = `actions/${name}/src/post.ts`;
  const sources = [entry, ...(existsSync(join(root, post)) ? [post] : [])].map((file) => inspectSources(root, file));
  const readings = sources.flatMap((source) => source.readings);
  const declared = Object.keys(definition.inputs).sort();

  it('reads exactly the inputs that it declares', () => {
    expect([...new Set(readings.map(({ input }) => input))].sort()).toEqual(declared);
  });

  it('sets every output that it declares, and in its own code no other', () => {
    const set = sources.flatMap(({ outputs }) => outputs);
    const outputs = Object.keys(definition.outputs);
    expect(outputs.filter((output) => !set.some((setting) => setting.output === output))).toEqual([]);
    const own = set.filter(({ file }) => file.startsWith(`actions/${name}/`));
    expect(own.filter(({ output }) => !outputs.includes(output))).toEqual([]);
  });

  it('names every input and output in its source', () => {
    expect(sources.flatMap(({ opaque }) => opaque)).toEqual([]);
  });

  it('reads what it declares as required as required, and gives it no default', () => {
    for (const [input, { required, default: value }] of Object.entries(definition.inputs)) {
      if (!required) continue;
      expect(value).toBeUndefined();
      const used = readings.filter((reading) => reading.input === input).map(({ reader }) => reader);
      expect({ input, used }).toEqual({ input, used: used.filter((reader) => !reader.startsWith('optional')) });
    }
  });

  it('reads secrets with a reader that masks them', () => {
    const bare = readings.filter(({ input, reader }) => secretName.test(input) && !secretReader.test(reader));
    expect(bare).toEqual([]);
  });

  it('runs its bundle', () => {
    expect(definition.runs.main).toBe(`../../dist/${name}/index.js`);
    expect(definition.runs.post).toBe(existsSync(join(root, post)) ? `../../dist/${name}-post/index.js` : undefined);
  });
});

it('the tables of the READMEs are what npm run docs would write', () => {
  for (const [file, text] of renderReadmes(root)) expect(readFileSync(join(root, file), 'utf8')).toBe(text);
});
