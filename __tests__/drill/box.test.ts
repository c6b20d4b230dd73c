import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { boxPath } from '../../drill/box';

let folder: string;
let programs: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'safeguard-box-'));
  mkdirSync(path.join(folder, 'var'));
  programs = boxPath(path.join(folder, 'programs'));
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('an embedded host', () => {
  it('is used by an ordinary user', () => {
    expect(run('id -u; id -un').stdout).toBe('1000\ndeploy\n');
  });

  it('has a crontab of its own', () => {
    expect(run('crontab -l').status).toBe(1);
    expect(run("{ crontab -l 2>/dev/null; echo '@reboot x'; } | crontab - && crontab -l").stdout).toBe('@reboot x\n');
    expect(readFileSync(path.join(folder, 'var', 'crontab'), 'utf8')).toBe('@reboot x\n');
  });

  it.each(['systemctl status', 'systemd-run true', 'sudo -n true', 'reboot'])('has no %s', (command) => {
    expect(run(command)).toMatchObject({ status: 1, stderr: expect.stringContaining('not on this box') });
  });

  it('keeps its programs also when a command puts the usual folders behind its PATH', () => {
    expect(run('PATH=$PATH:/usr/sbin:/usr/bin; id -u').stdout).toBe('1000\n');
  });
});

function run(command: string) {
  return spawnSync('/bin/sh', ['-c', command], {
    encoding: 'utf8',
    env: { PATH: programs, HOME: folder, USER: 'deploy' },
  });
}
