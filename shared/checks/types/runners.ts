import * as z from 'zod';
import { quote } from '../../host/quote';
import { rule, text } from '../../manifest/fields';
import type { Attempt, Observation, PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext } from '../context';
import {
  allPages,
  apiUrl,
  githubFor,
  githubShape,
  githubSilence,
  type RepositoryName,
  repositoryOf,
} from '../control-plane/github';
import { judgeRunners, type Runner } from '../control-plane/runners';
import { type Credential, credentialOf } from '../credentials';
import { checkPlaceholders, commonShape } from '../fields';
import { once } from '../once';
import { valuesFor } from '../placeholders';

const schema = once(() =>
  z
    .strictObject({
      type: z.literal('runners').describe('Asks GitHub whether enough self-hosted runners are online.'),
      ...commonShape,
      ...githubShape,
      organization: z
        .string()
        .regex(/^[A-Za-z0-9][A-Za-z0-9-]*$/, rule('write the name as in the address of the organisation'))
        .optional()
        .describe('Organisation whose own runners are meant. Instead of repository.'),
      labels: z.array(text).min(1).describe('Labels that a runner must all have to count.'),
      online: z.int().min(1).max(1000).default(1).describe('Runners with these labels that have to be online.'),
      names: z.array(text).min(1).optional().describe('Runners that have to be among them, each by its name.'),
    })
    .superRefine((spec, context) => {
      checkPlaceholders(context, [{ path: ['token'], text: spec.token, kind: 'secret' }], false);
      if (spec.organization !== undefined && spec.repository !== undefined) {
        context.addIssue({
          code: 'custom',
          path: ['organization'],
          message: 'stands instead of a repository; give one of them',
        });
      }
    }),
);
type RunnersSpec = z.output<ReturnType<typeof schema>>;

export const runnersCheck: CheckType<RunnersSpec> = {
  type: 'runners',
  category: 'control-plane',
  schema,
  bind: (spec) => ({ hosts: null, prepare: (_host, context) => prepare(spec, context) }),
};

function prepare(spec: RunnersSpec, context: CheckContext): PreparedCheck {
  const token = credentialOf(spec.token, valuesFor(null, context), context);
  const owner = spec.organization ?? repositoryOf(spec.repository, context);
  const of = typeof owner === 'string' ? owner : `${owner.owner}/${owner.repo}`;
  const path = typeof owner === 'string' ? `/orgs/${owner}` : `/repos/${of}`;
  const names = spec.names === undefined ? '' : `, ${spec.names.join(', ')} among them`;
  return {
    target: `runners of ${of} with ${spec.labels.join(', ')}`,
    expected: `at least ${spec.online} online with ${spec.labels.join(', ')}${names}`,
    reproduce: `curl -sS -H ${byHand(token)} ${quote(`${apiUrl(context)}${path}/actions/runners?per_page=100`)}`,
    secrets: token.secrets,
    attempt: (attempt) => ask(spec, owner, token, context, attempt),
  };
}

function byHand(token: Credential): string {
  return `"Authorization: Bearer ${token.byHand.slice(1)}`;
}

async function ask(
  spec: RunnersSpec,
  owner: RepositoryName | string,
  token: Credential,
  context: CheckContext,
  attempt: Attempt,
): Promise<Observation> {
  // Of the repository, or of the organisation.
  const permission = typeof owner === 'string' ? 'Self-hosted runners: read' : 'Administration: read';
  try {
    const runners = await listRunners(owner, token.value, context, attempt, permission);
    return judgeRunners(runners, spec);
  } catch (thrown) {
    return githubSilence(apiUrl(context), thrown, attempt, { permission });
  }
}

async function listRunners(
  owner: RepositoryName | string,
  token: string,
  context: CheckContext,
  attempt: Attempt,
  permission: string,
): Promise<Runner[]> {
  const github = await githubFor(token, context, attempt);
  const { signal } = attempt;
  return allPages(async (page) => {
    const { data } = await github.ask({ what: 'list the runners', permission }, (request) => {
      const options = { per_page: 100, page, request: { signal } };
      return typeof owner === 'string'
        ? request('GET /orgs/{org}/actions/runners', { org: owner, ...options })
        : request('GET /repos/{owner}/{repo}/actions/runners', { ...owner, ...options });
    });
    return { total: data.total_count, entries: data.runners };
  });
}
