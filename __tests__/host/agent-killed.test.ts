import { describe, expect, it } from '@jest/globals';
import { HostAgent } from '../../shared/host/agent';
import type { ExecResult, HostLink } from '../../shared/ports';

const warning = 'sudo: unable to resolve host web-01: Temporary failure in name resolution\n';

/** The error of a verb whose command ended like this, without an answer. */
async function errorOf(ended: Partial<ExecResult>): Promise<unknown> {
  const result = { code: 1, signal: null, stdout: '', stderr: '', ...ended };
  const link: HostLink = { host: 'web-01', exec: async () => result, close: async () => undefined };
  const source = { text: '', sha256: '0'.repeat(64) };
  const agent = new HostAgent(link, { root: '/var/lib/deploy-safeguard/shop', sudo: true, source });
  return agent.call('switch', {}).then(
    () => null,
    (error: unknown) => error,
  );
}

describe('an agent that ends without an answer', () => {
  it.each([
    ['the signal, as sshd reports it', { code: null, signal: 'SIGKILL' }, 'SIGKILL'],
    ['the signal, as a shell reports it', { code: 137 }, 'signal 9'],
    ['a lost connection', { code: null }, 'a lost connection'],
  ])('was ended by %s, although sudo had warned of something before', async (_, ended, name) => {
    // Unreachable: it may have done its work or not, so the verb is repeated.
    expect(await errorOf({ ...ended, stderr: warning })).toMatchObject({
      name: 'UnreachableError',
      code: 'agent-killed',
      message: `web-01: the agent was ended by ${name} before it answered`,
    });
  });

  it('was refused by sudo, in the last words of sudo', async () => {
    expect(await errorOf({ stderr: `${warning}sudo: a password is required\n` })).toMatchObject({
      code: 'sudo-refused',
      message: 'web-01: sudo refused to run the agent: sudo: a password is required',
    });
  });
});
