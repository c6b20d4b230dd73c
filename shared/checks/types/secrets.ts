import * as z from 'zod';
import { quote } from '../../host/quote';
import { rule, text } from '../../manifest/fields';
import type { Attempt, Observation, PreparedCheck } from '../check';
import type { CheckType } from '../check-type';
import type { CheckContext } from '../context';
import {
  apiUrl,
  githubFor,
  githubShape,
  githubSilence,
  type RepositoryName,
  repositoryOf,
} from '../control-plane/github';
import { judgeNames, listNames, type Wanted } from '../control-plane/secret-names';
import { type Credential, credentialOf } from '../credentials';
import { checkPlaceholders, commonShape } from '../fields';
import { once } from '../once';
import { valuesFor } from '../placeholders';

const names = z.array(
  z
    .string()
    .regex(/^(?![0-9])[A-Za-z0-9_]+$/, rule('a name has letters, digits and _, and starts with no digit'))
    .refine((name) => !/^GITHUB_/i.test(name), rule('GitHub allows no name that starts with GITHUB_')),
);

const schema = once(() =>
  z
    .strictObject({
      type: z
        .literal('secrets')
        .describe(
          'Asks GitHub whether the secrets and variables that a workflow needs are there, by their names only.',
        ),
      ...commonShape,
      ...githubShape,
      environment: text.optional().describe('Environment on GitHub whose own secrets and variables count as well.'),
      secrets: names.default([]).describe('Secrets that must be there.'),
      variables: names.default([]).describe('Variables that must be there.'),
    })
    .superRefine((spec, context) => {
      checkPlaceholders(context, [{ path: ['token'], text: spec.token, kind: 'secret' }], false);
      if (spec.secrets.length + spec.variables.length === 0) {
        context.addIssue({ code: 'custom', path: ['secrets'], message: 'name at least one secret or variable' });
      }
    }),
);
type SecretsSpec = z.output<ReturnType<typeof schema>>;

export const secretsCheck: CheckType<SecretsSpec> = {
  type: 'secrets',
  category: 'control-plane',
  schema,
  bind: (spec) => ({ hosts: null, prepare: (_host, context) => prepare(spec, context) }),
};

function prepare(spec: SecretsSpec, context: CheckContext): PreparedCheck {
  const token = credentialOf(spec.token, valuesFor(null, context), context);
  const repository = repositoryOf(spec.repository, context);
  const slug = `${repository.owner}/${repository.repo}`;
  const wanted: Wanted[] = [
    { kind: 'secrets' as const, names: spec.secrets },
    { kind: 'variables' as const, names: spec.variables },
  ].filter((one) => one.names.length > 0);
  const addresses = wanted.map(({ kind }) => quote(`${apiUrl(context)}/repos/${slug}/actions/${kind}`));
  return {
    target: `${wanted.map(({ kind }) => kind).join(' and ')} of ${slug}${spec.environment === undefined ? '' : `, environment ${spec.environment}`}`,
    expected: wanted.map((one) => `${one.kind} ${one.names.join(', ')}`).join(' and '),
    reproduce: `curl -sS -H "Authorization: Bearer ${token.byHand.slice(1)} ${addresses.join(' ')}`,
    secrets: token.secrets,
    attempt: (attempt) => ask(spec, repository, wanted, token, context, attempt),
  };
}

async function ask(
  spec: SecretsSpec,
  repository: RepositoryName,
  wanted: readonly Wanted[],
  token: Credential,
  context: CheckContext,
  attempt: Attempt,
): Promise<Observation> {
  const where = { repository, environment: spec.environment ?? null };
  try {
    const github = await githubFor(token.value, context, attempt);
    const found = await Promise.all(wanted.map((one) => listNames(github, where, one, attempt.signal)));
    return judgeNames(found, spec.environment ?? null);
  } catch (thrown) {
    const permission = `Secrets: read, Variables: read${spec.environment === undefined ? '' : ', Environments: read'}`;
    return githubSilence(apiUrl(context), thrown, attempt, { permission });
  }
}
