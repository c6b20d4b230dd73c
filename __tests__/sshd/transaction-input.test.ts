import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { file, symlink } from '../artifacts/archive';
import { type Ended, type Manifest, Site } from '../support/site';
import { makeKey } from '../support/sshd';

let site: Site;

beforeAll(async () => {
  site = await Site.open({ hosts: ['web-01'] });
  expect((await site.deploy('1.0.0')).outputs['outcome']).toBe('deployed');
  await site.artifact('1.1.0');
});
afterAll(() => site.close());

interface Refusal {
  what: string;
  version?: string;
  inputs?: Record<string, string>;
  /** File with the private key to log in with. */
  key?: string;
  action?: string;
  manifest?: (manifest: Manifest) => void;
  prepare?: () => unknown;
  /** Brings back what `prepare` changed. */
  after?: () => void;
  /** The sentence that is said. */
  says: () => string;
  /** What the reader is told to do. */
  remedy: () => string | RegExp;
}

const artifact = (version: string) =>
  `The artifact of component "web", "${join(site.workspace, 'build', `web-${version}.tar.gz`)}",`;
const inside = () => 'Build the artifact so that everything in it stays inside of the release folder.';
const staging = (manifest: Manifest) => manifest['environments'].staging;
const badVersion = (version: string) => () =>
  `The version "${version}" is not allowed: a version has 1 to 128 characters, starts with a letter or a digit, and holds only letters, digits and . _ + - (but not two dots in a row).`;
const goodVersion = () => 'Pass a version such as 1.4.2, v1.4.2 or a commit hash.';
const login = () => `${site.first.sshd.user}@127.0.0.1:${site.first.sshd.port}`;

const refusals: Refusal[] = [
  {
    what: 'an artifact that is not there',
    version: '9.9.9',
    says: () =>
      `${artifact('9.9.9')} does not exist; its folder "${join(site.workspace, 'build')}" contains "web-1.0.0.tar.gz", "web-1.1.0.tar.gz".`,
    remedy: () =>
      'Check that the artifact was built or downloaded before this step, and the paths in the manifest and in the input "artifacts".',
  },
  {
    what: 'an artifact that was cut off',
    version: '2.0.1',
    prepare: async () => {
      const path = await site.artifact('2.0.1');
      writeFileSync(path, readFileSync(path).subarray(0, 300));
    },
    says: () => `${artifact('2.0.1')} is cut off: its compressed data ends too early, at the entry "service.js".`,
    remedy: () => 'Build or download the artifact again, and compare its checksum with the one of the build.',
  },
  {
    what: 'an artifact that writes outside of its release',
    version: '2.0.2',
    prepare: () => site.archive('2.0.2', file('ok'), file('../evil')),
    says: () => `${artifact('2.0.2')} is refused: the entry "../evil" has a name with .. in it.`,
    remedy: inside,
  },
  {
    what: 'an artifact with an absolute symbolic link',
    version: '2.0.3',
    prepare: () => site.archive('2.0.3', file('ok'), symlink('passwd', '/etc/passwd')),
    says: () =>
      `${artifact('2.0.3')} is refused: the entry "passwd" is a symbolic link to the absolute path "/etc/passwd", which leads out of the release.`,
    remedy: inside,
  },
  {
    what: 'an unknown key in the manifest',
    manifest: (manifest) => {
      staging(manifest).rolout = {};
    },
    says: () =>
      '.github/safeguard.yml:35:5: environments.staging.rolout: unknown key "rolout" (did you mean "rollout"?); allowed here: hosts, components, migrations, rollout, health, incident, paths',
    remedy: () => 'Correct .github/safeguard.yml at the place named above.',
  },
  {
    what: 'an unknown environment',
    inputs: { environment: 'stagin' },
    says: () =>
      'The manifest ".github/safeguard.yml" has no environment "stagin" (did you mean "staging"?); it has: staging.',
    remedy: () => 'Set the input "environment" to one of the listed names, or add the environment to the manifest.',
  },
  {
    what: 'a secret that the step was not given',
    manifest: (manifest) => {
      const commands = { start: 'true', stop: 'true', status: 'true' };
      staging(manifest).components.web.service = { manager: 'command', ...commands, secrets: ['TOKEN'] };
    },
    says: () => 'The manifest names secrets that this step does not have: TOKEN.',
    remedy: () => 'Pass them to the step: env: { TOKEN: ${{ secrets.TOKEN }} }.',
  },
  {
    what: 'a version that is a command',
    version: '1.0; touch owned',
    says: badVersion('1.0; touch owned'),
    remedy: goodVersion,
  },
  { what: 'a version that is a substitution', version: '$(id)', says: badVersion('$(id)'), remedy: goodVersion },
  { what: 'a version that is a path', version: '../../etc', says: badVersion('../../etc'), remedy: goodVersion },
  {
    what: 'a switch that is neither true nor false',
    inputs: { 'check-mode': 'maybe' },
    says: () => 'The input `check-mode` is `maybe`, but allowed are `true` and `false`.',
    remedy: () => 'Change `check-mode` under `with:` of this step.',
  },
  {
    what: 'a rollback without a reason',
    action: 'rollback',
    says: () => 'The input `reason` is required, but it was not given or is empty.',
    remedy: () =>
      'Set `reason` under `with:` of this step; if it comes from a secret or a variable, check that this one has a value.',
  },
  {
    what: 'a host key that is another than before',
    manifest: (manifest) => {
      rmSync(join(site.folder, 'other'), { force: true });
      staging(manifest).hosts['web-01']['host-key'] = makeKey(join(site.folder, 'other'), 'ed25519');
    },
    says: () => `web-01: the host key of 127.0.0.1:${site.first.sshd.port} is not the known one: expected ssh-ed25519 `,
    remedy: () =>
      /^Log in to the machine another way and run: ssh-keygen -lf \/etc\/ssh\/ssh_host_ed25519_key.pub. Only if it prints SHA256:/,
  },
  {
    what: 'something that is no private key',
    inputs: { 'ssh-private-key': 'nonsense' },
    says: () => 'the SSH private key cannot be read: Unsupported key format',
    remedy: () => /^Paste the whole private key file, from -----BEGIN /,
  },
  {
    what: 'a key that may not log in',
    key: 'stranger',
    prepare: () => makeKey(join(site.folder, 'stranger'), 'ed25519'),
    says: () => `web-01: ${login()} did not accept the login; offered: ssh-ed25519 SHA256:`,
    remedy: () => /^Add the public key to ~\w+\/\.ssh\/authorized_keys on the machine/,
  },
  {
    what: 'a current that is a real folder',
    prepare: () => mkdirSync(join(site.first.folder, 'srv/old/current'), { recursive: true }),
    manifest: (manifest) => {
      staging(manifest).components.web.root = `${site.view}/srv/old`;
    },
    says: () => `web-01: web: ${site.view}/srv/old/current is a real directory or file, not a link`,
    remedy: () =>
      `Make it the first release: cd ${site.view}/srv/old && mkdir -p releases && mv -T current releases/first && ln -s releases/first current.`,
  },
  {
    what: 'a file in the place of the component',
    prepare: () => writeFileSync(join(site.first.folder, 'srv/file'), 'x'),
    manifest: (manifest) => {
      staging(manifest).components.web.root = `${site.view}/srv/file`;
    },
    says: () => `web-01: web: ${site.view}/srv/file is not a folder (and 1 more, see the log)`,
    remedy: () => 'Remove it, or set another root.',
  },
  {
    what: 'a disk that is nearly full',
    prepare: () => program('stat', nearlyFull),
    after: () => rmSync(join(site.first.folder, 'programs/stat')),
    says: () => `web-01: web: no space: 1032 kB needed in ${site.view}/srv/web, 100 kB free (and 1 more, see the log)`,
    remedy: () => "Free space on the host, or lower 'keep-releases'.",
  },
  {
    what: 'a release in use that somebody changed: there would be no way back',
    prepare: () => writeFileSync(join(site.first.root, 'current/service.js'), 'changed\n'),
    says: () =>
      `web-01: web: files of the release in use (${site.first.current()?.release.split('/')[1]}) no longer match their checksums: the way back is damaged`,
    remedy: () => /^Find out who changed files below /,
  },
];

/** A program of the machine that comes first in its PATH. */
function program(name: string, text: string): void {
  writeFileSync(join(site.first.folder, 'programs', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}

/** What `stat -f` says of every folder: 100 blocks of a kilobyte are free. */
const nearlyFull = `shift 3
printf '%s\\t100\\t1024\\t200000\\t100000\\n' "$@"`;

describe('check mode', () => {
  it('says that the plan holds and changes nothing', async () => {
    const before = site.snapshot();
    const ended = await site.run('deploy', { version: '1.1.0', 'check-mode': 'true' });
    expect([ended.exitCode, ended.outputs['outcome']]).toEqual([0, 'no-op']);
    expect(ended.text).toContain('Check mode: the plan holds on every host; nothing was changed.');
    expect(site.snapshot()).toEqual(before);
  });

  it('leaves no trace on a host that was never deployed to, not even the agent', async () => {
    const fresh = await Site.open({ hosts: ['web-01'] });
    try {
      await fresh.artifact('1.0.0');
      const before = fresh.snapshot();
      const ended = await fresh.run('deploy', { version: '1.0.0', 'check-mode': 'true' });
      expect(ended.exitCode).toBe(0);
      expect(fresh.snapshot()).toEqual(before);
    } finally {
      await fresh.close();
    }
  });
});

describe('is refused with one clear sentence, before anything changes on the host:', () => {
  it.each(refusals)('$what', async (refusal) => {
    await refusal.prepare?.();
    site.writeManifest(refusal.manifest);
    const before = site.snapshot();
    const action = refusal.action ?? 'deploy';
    const inputs = {
      ...(action === 'deploy' ? { version: refusal.version ?? '1.1.0' } : {}),
      ...(refusal.key ? { 'ssh-private-key': readFileSync(join(site.folder, refusal.key), 'utf8') } : {}),
      ...refusal.inputs,
    };
    const ended = await site.run(action, inputs);
    refusal.after?.();
    expect(ended.exitCode).toBe(1);
    expect([undefined, 'aborted']).toContain(ended.outputs['outcome']);
    const { sentence, remedy } = said(ended);
    const wanted = refusal.says();
    // What goes on with keys and fingerprints of this very run is compared up to there.
    expect(/[ :]$/.test(wanted) ? sentence.slice(0, wanted.length) : sentence).toBe(wanted);
    if (refusal.remedy() instanceof RegExp) expect(remedy).toMatch(refusal.remedy());
    else expect(remedy).toBe(refusal.remedy());
    expect(ended.text).not.toContain('    at ');
    expect(site.snapshot()).toEqual(before);
    expect(existsSync(join(site.workspace, 'owned'))).toBe(false);
  });
});

/** The sentence and the remedy, from the report or, where it did not come to one, from the log. */
function said(ended: Ended): { sentence: string; remedy: string } {
  const failure = ended.report.failure;
  if (failure) return { sentence: failure.message, remedy: failure.remedy ?? '' };
  const [sentence = '', remedy = ''] = ended.text.split('\nWhat to do: ');
  return { sentence, remedy };
}
