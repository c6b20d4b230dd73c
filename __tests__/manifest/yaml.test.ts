import { describe, expect, it } from '@jest/globals';
import * as z from 'zod';
import { parseYaml } from '../../shared/manifest/yaml';
import { complaints, manifestText, refusal } from './text';

const anything = z.record(z.string(), z.unknown());
const lines = (text: string, schema: z.ZodType = anything) =>
  refusal(() => parseYaml(text, 'f.yml', schema)).message.split('\n');

describe('parseYaml', () => {
  it('returns the value, with merge keys and anchors applied', () => {
    expect(parseYaml('a: &a { x: 1, y: 2 }\nb: { <<: *a, y: 3 }\n', 'f.yml', anything)).toEqual({
      a: { x: 1, y: 2 },
      b: { x: 1, y: 3 },
    });
  });

  it('carries the code and the remedy of its caller', () => {
    const error = refusal(() => parseYaml('', 'f.yml', anything, { code: 'suite-invalid', remedy: 'Write a suite.' }));
    expect(error).toMatchObject({ fault: 'configuration', code: 'suite-invalid', remedy: 'Write a suite.' });
  });

  it.each([
    ['', 'f.yml:1:1: the file is empty'],
    ['# only a comment\n', 'f.yml:1:1: the file is empty'],
    ['a: 1\nb: 2\na: 3\n', 'f.yml:3:1: this key appears a second time in the same map'],
    ['a: 1\n---\nb: 2\n', 'f.yml:2:1: a second YAML document begins here'],
    ['a:\n\tb: 1\n', 'f.yml:2:1: YAML does not allow tabs'],
    ['a: [1, 2\nb: 3\n', 'f.yml:2:1: not valid YAML: '],
    ['a: *nowhere\n', 'f.yml:1:4: there is no anchor &nowhere before this alias'],
    ['a: &a { b: *a }\n', 'f.yml:1:12: the alias *a stands inside of what it repeats'],
    ['a: !secret x\n', 'f.yml:1:4: '],
    ['? [a, b]\n: 1\n', 'f.yml:1:3: a key must be plain text'],
    ['__proto__: { a: 1 }\n', 'f.yml:1:1: the key "__proto__" is not allowed'],
    ['just text\n', 'f.yml:1:1: expected a map (key: value), found the text "just text"'],
  ])('refuses %j', (text, start) => {
    const [first] = lines(text);
    expect(first?.startsWith(start) ? start : first).toBe(start);
  });

  it('does not let aliases multiply the content', () => {
    const levels = Array.from(
      { length: 9 },
      (_, level) => `l${level + 1}: &l${level + 1} [${`*l${level},`.repeat(9)}]`,
    );
    const started = performance.now();
    expect(lines(['l0: &l0 [x]', ...levels].join('\n'))[0]).toContain('aliases multiply the content too far');
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it('refuses what is nested or sized beyond reason', () => {
    expect(lines(`a: ${'['.repeat(100)}${']'.repeat(100)}`)[0]).toContain('nested too deeply');
    expect(lines(`a: ${'['.repeat(50_000)}`)[0]).toContain('nested too deeply');
    expect(lines(`a: ${'x'.repeat(1024 * 1024)}`)[0]).toContain('longer than 1 MiB');
  });

  it('shows control characters of the text, never passes them on', () => {
    const [line] = lines('"a\\e[31m\\n::error::b": 1\n', z.strictObject({ c: z.number().optional() }));
    expect(line).toContain('\\u001b[31m\\n::error::b');
    expect(line).not.toContain('\u001b');
  });

  it('points at the nearest written part when a key is missing', () => {
    const schema = z.strictObject({ list: z.array(z.strictObject({ name: z.string() })) });
    expect(lines('list:\n  - name: x\n  - {}\n', schema)).toEqual([
      'f.yml:3:5: list.1.name: is required, but missing; expected text',
    ]);
  });

  it('explains the types in plain words', () => {
    const schema = z.strictObject({
      text: z.string(),
      flag: z.boolean(),
      count: z.number(),
      list: z.array(z.string()),
      map: z.strictObject({}),
      either: z.union([z.string(), z.array(z.string())]),
    });
    expect(lines('text: 1.10\nflag: yes\ncount: many\nlist: x\nmap: []\neither: { a: 1 }\n', schema)).toEqual([
      'f.yml:1:7: text: expected text, found the number 1.1; put it in quotes',
      'f.yml:2:7: flag: expected true or false, found the text "yes"',
      'f.yml:3:8: count: expected a number, found the text "many"',
      'f.yml:4:7: list: expected a list, found the text "x"',
      'f.yml:5:1: map: expected a map (key: value), found a list',
      'f.yml:6:1: either: expected text or a list, found a map',
    ]);
  });
});

describe('problems of a manifest', () => {
  it('reports unknown keys together with what they would otherwise hide', () => {
    const text = manifestText({ rest: ['rollout: { canary: [web-1], leese: 30s }'] });
    expect(complaints(text)).toEqual([
      'm.yml:6:25: environments.staging.rollout.canary.0: there is no host "web-1" (did you mean "web-01"?); hosts: web-01, web-02',
      'm.yml:6:33: environments.staging.rollout.leese: unknown key "leese" (did you mean "lease"?); allowed here: canary, max-parallel, lease, keep-releases, pause',
    ]);
  });

  it('lists ten problems in the order of the file and counts the rest', () => {
    const text = ['app: x', ...Array.from({ length: 12 }, (_, index) => `k${index}: 1`)].join('\n');
    const found = complaints(text);
    expect(found).toHaveLength(11);
    expect(found[0]).toMatch(/^m\.yml:1:1: environments: is required/);
    expect(found[1]).toMatch(/^m\.yml:2:1: k0: unknown key "k0"/);
    expect(found[10]).toBe('m.yml: and 3 more problems');
  });

  it('points into the anchor where a merged value is written', () => {
    const hosts = '{ a: &a { address: -x, user: u }, b: { <<: *a, port: 23 } }';
    expect(complaints({ hosts }).map((line) => line.split(' ')[0])).toEqual(['m.yml:4:31:', 'm.yml:4:31:']);
  });
});
