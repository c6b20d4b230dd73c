import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { inCi, whereIs } from './shells';

const run = promisify(execFile);
const agent = path.join(process.cwd(), 'shared/host/agent.sh');

describe('agent.sh', () => {
  const shellcheck = whereIs('shellcheck');
  if (shellcheck === null) {
    it('is not looked at by shellcheck here: shellcheck is not installed', () => {
      if (inCi) throw new Error('install shellcheck: CI checks the agent with it');
    });
  } else {
    it('has nothing that shellcheck finds, as POSIX sh', async () => {
      const found = await run(shellcheck, ['--shell=sh', '--format=gcc', agent]).catch((error) => error);
      expect(found.stdout).toBe('');
      expect(found.code).toBeUndefined();
    }, 60_000);
  }

  it.each(['dash', 'bash --posix', 'busybox ash'])('is read without complaint by %s', async (words) => {
    const [program = '', ...options] = words.split(' ');
    const file = whereIs(program);
    if (file === null) {
      if (inCi) throw new Error(`install ${program}: CI tests the agent under every shell`);
      return;
    }
    expect(await run(file, [...options, '-n', agent])).toEqual({ stdout: '', stderr: '' });
  });
});
