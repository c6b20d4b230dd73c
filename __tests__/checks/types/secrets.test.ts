import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EmbeddedGithub } from '../../../drill/github';
import { freePorts } from '../../../drill/ports';
import { ask, expectedOf } from '../control-plane/asking';
import { checkOf } from '../doubles';

let github: EmbeddedGithub;
const token = 'github_pat_0123456789';
const entry = { type: 'secrets', token: '${secret.AUDIT_TOKEN}', secrets: ['DEPLOY_KEY', 'Db_Password'] };

beforeEach(async () => {
  github = await EmbeddedGithub.start({ slug: 'example/shop', token });
});
afterEach(() => github.stop());

const variables = (more: object = {}) => ({
  GITHUB_API_URL: github.url,
  GITHUB_REPOSITORY: 'example/shop',
  AUDIT_TOKEN: token,
  ...more,
});
const look = (more: object = {}, changed: object = {}) => ask({ ...entry, ...more }, { variables: variables(changed) });

describe('secrets and variables', () => {
  it('pass when every name is there, in the repository, its organisation or the environment', async () => {
    github.settings.repository.addSecret('DEPLOY_KEY');
    github.settings.environment('production').addSecret('DB_PASSWORD');
    github.settings.organization.addVariable('REGION', 'eu');
    const more = { environment: 'production', variables: ['REGION'] };
    expect(await look(more)).toEqual({ verdict: 'pass', found: '2 of 2 secrets and 1 of 1 variables' });
    expect(expectedOf({ ...entry, ...more }, { variables: variables() })).toBe(
      'secrets DEPLOY_KEY, Db_Password and variables REGION',
    );
  });

  it('leave the organisation alone when nothing is missing', async () => {
    github.settings.repository.addSecret('DEPLOY_KEY');
    github.settings.repository.addSecret('DB_PASSWORD');
    expect(await look()).toMatchObject({ verdict: 'pass' });
    expect(github.requests.map(({ path }) => path)).toEqual(['/repos/example/shop/actions/secrets']);
  });

  it('are found on every page', async () => {
    for (let index = 1; index <= 70; index += 1) github.settings.repository.addVariable(`V${index}`, '');
    expect(await look({ secrets: [], variables: ['V1', 'V31', 'V70'] })).toMatchObject({ verdict: 'pass' });
    for (let index = 1; index <= 120; index += 1) github.settings.repository.addSecret(`S${index}`);
    expect(await look({ secrets: ['S120'] })).toMatchObject({ verdict: 'pass' });
  });

  it('fail with the names that are missing, and with how to add them', async () => {
    github.settings.repository.addSecret('DEPLOY_KEY');
    github.settings.environment('staging').addSecret('DB_PASSWORD');
    github.settings.environment('production');
    expect(await look({ environment: 'production', variables: ['REGION'] })).toEqual({
      verdict: 'fail',
      found: 'no secrets Db_Password and no variables REGION',
      remedy: 'Add what is missing: gh secret set Db_Password --env production.',
    });
    expect(await look({ secrets: [], variables: ['REGION'] })).toMatchObject({
      remedy: 'Add what is missing: gh variable set REGION.',
    });
  });

  it('are no data of an environment that GitHub does not have, or for a token that it refuses', async () => {
    expect(await look({ environment: 'moon' })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('refused to list the secrets of the environment: 404'),
      remedy: expect.stringContaining('Secrets: read, Variables: read, Environments: read'),
    });
    expect(await look({}, { AUDIT_TOKEN: 'other' })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('401'),
    });
    const [port] = await freePorts(1);
    expect(await look({}, { GITHUB_API_URL: `http://127.0.0.1:${port}` })).toMatchObject({
      verdict: 'inconclusive',
      found: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('are asked for by their names only', async () => {
    github.settings.repository.addVariable('REGION', 'confidential-value');
    const { found } = await look({ variables: ['REGION', 'OTHER'] });
    expect(found).not.toContain('confidential-value');
  });
});

it.each([
  [{ secrets: [] }, 'name at least one secret or variable'],
  [{ secrets: ['GITHUB_TOKEN'] }, 'starts with GITHUB_'],
  [{ secrets: ['A-B'] }, 'letters, digits and _'],
  [{ secrets: ['1A'] }, 'starts with no digit'],
  [{ token: 'x' }, 'must come from the environment of the action'],
])('refuses %j', (more, message) => {
  expect(() => checkOf({ ...entry, ...more })).toThrow(message);
});
