import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { readDefinition } from '../../scripts/action-definition';
import { documents, examples, workflowExamples } from '../../scripts/documentation';
import { parseSuite } from '../../shared/checks/suites';
import { parseManifest, selectEnvironment } from '../../shared/manifest/load';
import { outcomes } from '../../shared/transaction/outcome';

const root = process.cwd();
const all = documents(root);
const texts = new Map(all.map(({ file, text }) => [file, text]));

interface Step {
  uses?: string;
  with?: Record<string, unknown>;
}

function stepsOf(workflow: string): Step[] {
  const { jobs } = parse(workflow) as { jobs: Record<string, { steps?: Step[] }> };
  return Object.values(jobs).flatMap(({ steps }) => steps ?? []);
}

/** Addresses of headings as GitHub makes them. */
function anchors(text: string): string[] {
  const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, '');
  return [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('the documentation', () => {
  it('is there', () => {
    const pages = ['how-it-works', 'manifest', 'health-checks', 'runbook', 'security', 'testing'];
    expect(pages.filter((page) => !texts.has(`docs/${page}.md`))).toEqual([]);
    expect(texts.has('README.md')).toBe(true);
  });

  it('links only to what is there', () => {
    const broken: string[] = [];
    for (const { file, text } of all) {
      for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [path = '', anchor] = target.split('#');
        const page = path === '' ? file : normalize(join(dirname(file), path));
        if (!existsSync(join(root, page))) broken.push(`${file}: ${target}`);
        else if (anchor !== undefined && !anchors(texts.get(page) ?? '').includes(anchor))
          broken.push(`${file}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  it('names only commands that package.json has', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
    const named = all.flatMap(({ text }) => [...text.matchAll(/npm run ([a-z:]+)/g)].map(([, name = '']) => name));
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it('explains every outcome, with what to do about each red one', () => {
    const explained = outcomes.filter((outcome) => texts.get('docs/how-it-works.md')?.includes(`| \`${outcome}\` |`));
    expect(explained).toEqual([...outcomes]);
    const red = outcomes.filter((outcome) => outcome !== 'deployed' && outcome !== 'no-op');
    expect(red.filter((outcome) => !texts.get('docs/runbook.md')?.includes(`### \`${outcome}\`\n`))).toEqual([]);
  });

  it.each(workflowExamples(all).map((example) => [`${example.file}:${example.line}`, example] as const))(
    'has a workflow in %s that gives our actions the inputs that they have',
    (_, { text }) => {
      const ours = stepsOf(text).filter(({ uses }) => uses?.startsWith('OWNER/'));
      expect(ours).not.toEqual([]);
      for (const { uses = '', with: given = {} } of ours) {
        const name = /^OWNER\/deploy-safeguard\/actions\/([a-z-]+)@v1$/.exec(uses)?.[1] ?? uses;
        const { inputs } = readDefinition(root, name);
        expect(Object.keys(given).filter((input) => !(input in inputs))).toEqual([]);
        const required = Object.keys(inputs).filter((input) => inputs[input]?.required === true);
        expect(required.filter((input) => !(input in given))).toEqual([]);
        const outputs = [...text.matchAll(/steps\.([a-z]+)\.outputs\.([a-z-]+)/g)];
        for (const [, step, output = ''] of outputs) {
          const producer = new RegExp(`id: ${step}\\n\\s+uses: OWNER/deploy-safeguard/actions/([a-z-]+)@`).exec(
            text,
          )?.[1];
          expect(Object.keys(readDefinition(root, producer ?? '').outputs)).toContain(output);
        }
      }
    },
  );

  const manifests = examples(all, 'yaml').filter(({ text }) => /^app: /m.test(text));

  it.each(manifests.map((example) => [`${example.file}:${example.line}`, example] as const))(
    'has a manifest in %s that is accepted',
    (place, { text }) => {
      const manifest = parseManifest(text, place);
      for (const name of Object.keys(manifest.environments)) selectEnvironment(manifest, name);
    },
  );

  it.each(
    examples(all, 'yaml')
      .filter(({ text }) => /^checks:/m.test(text))
      .map((example) => [`${example.file}:${example.line}`, example] as const),
  )('has a suite in %s that is accepted with one of the manifests', (place, { text }) => {
    const refusals = manifests.map((example) => {
      const manifest = parseManifest(example.text, 'manifest');
      const [name = ''] = Object.keys(manifest.environments);
      try {
        expect(parseSuite(text, place, selectEnvironment(manifest, name))).not.toEqual([]);
        return null;
      } catch (thrown) {
        return `${example.file}:${example.line}: ${thrown instanceof Error ? thrown.message : thrown}`;
      }
    });
    if (!refusals.includes(null)) throw new Error(refusals.join('\n'));
  });
});
