import { describe, expect, it } from '@jest/globals';
import { readRunFacts, reportRun } from '../../shared/action/context';

const runner = {
  GITHUB_SERVER_URL: 'https://ghes.example/',
  GITHUB_API_URL: 'https://ghes.example/api/v3',
  GITHUB_REPOSITORY: 'acme/shop',
  GITHUB_RUN_ID: '17',
  GITHUB_RUN_ATTEMPT: '1',
  GITHUB_ACTOR: 'octo',
  RUNNER_NAME: 'primary',
};

describe('the facts of a run', () => {
  it('names the page of the run on the server at hand', () => {
    const facts = readRunFacts(runner);
    expect(facts).toMatchObject({ apiUrl: 'https://ghes.example/api/v3', repository: 'acme/shop' });
    expect(reportRun(facts)).toEqual({
      url: 'https://ghes.example/acme/shop/actions/runs/17',
      runner: 'primary',
      attempt: 1,
      actor: 'octo',
    });
  });

  it('names the page of the attempt when the run was repeated', () => {
    expect(readRunFacts({ ...runner, GITHUB_RUN_ATTEMPT: '3' }).url).toMatch(/\/runs\/17\/attempts\/3$/);
  });

  it('knows nothing in a run by hand', () => {
    expect(reportRun(readRunFacts({}))).toEqual({ url: null, runner: null, attempt: null, actor: null });
    expect(readRunFacts({ GITHUB_RUN_ATTEMPT: 'x', GITHUB_ACTOR: '' })).toMatchObject({
      attempt: null,
      actor: null,
      apiUrl: 'https://api.github.com',
    });
  });
});
