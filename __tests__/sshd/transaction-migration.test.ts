import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { type Behaviour, type Ended, type Manifest, Site } from '../support/site';

const secret = 'canary-5f1c2e9a-do-not-show';
const outcome = ({ exitCode, outputs }: Ended) => [exitCode, outputs['outcome']];

/**
 * A database in one file that keeps a log of everything that was done to it, with the services that ran at that moment:
 * `up 1.1.0 running=yes`.
 */
function database(view: string): string {
  return `#!/bin/sh
# db VERB: a database server's client, as far as a deployment can tell.
set -eu
db=${view}/var/database
[ "\${DB_PASSWORD:-}" = '${secret}' ] || { echo 'db: wrong password' >&2; exit 9; }
running=no
for pid_file in ${view}/var/lib/deploy-safeguard/shop/run/*.pid; do
  [ -f "$pid_file" ] || continue
  read -r pid rest <"$pid_file"
  if kill -0 "$pid" 2>/dev/null; then running=yes; fi
done
[ "$1" = version ] || echo "$1 $SAFEGUARD_VERSION running=$running" >>"$db.log"
case $1 in
  version) cat "$db" ;;
  backup) cp "$db" "$db.backup" ;;
  restore) cp "$db.backup" "$db" ;;
  up)
    if [ -f "$db.fails" ]; then echo half >"$db"; echo 'db: syntax error near FROM' >&2; exit 3; fi
    echo "$SAFEGUARD_VERSION" >"$db"
    ;;
  down) echo "$2" >"$db" ;;
esac
`;
}

let site: Site;
let migration: Manifest;

const log = () =>
  existsSync(join(site.first.folder, 'var/database.log'))
    ? readFileSync(join(site.first.folder, 'var/database.log'), 'utf8').trim().split('\n')
    : [];
const schema = () => readFileSync(join(site.first.folder, 'var/database'), 'utf8').trim();

async function deploy(version: string, behaviour: Behaviour = 'well'): Promise<Ended> {
  await site.artifact(version, behaviour);
  site.writeManifest((manifest) => {
    manifest['environments'].staging.migrations = { orders: migration };
  });
  return site.run('deploy', { version }, { DB_PASSWORD: secret });
}

const recover = () => site.run('recover', {}, { DB_PASSWORD: secret });
const command = (text: string) => `${site.view}/var/db ${text}`;

beforeAll(async () => {
  site = await Site.open({ secrets: [secret] });
  writeFileSync(join(site.first.folder, 'var/db'), database(site.view), { mode: 0o755 });
  writeFileSync(join(site.first.folder, 'var/database'), '0\n');
});
afterAll(() => site.close());

beforeEach(() => {
  rmSync(join(site.first.folder, 'var/database.log'), { force: true });
  migration = { role: 'web', version: command('version'), up: command('up'), secrets: ['DB_PASSWORD'], timeout: '20s' };
});
afterEach(() => {
  rmSync(join(site.first.folder, 'var/database.fails'), { force: true });
});

describe('with an undo', () => {
  it('migrates on the first host that has the role, before the switch', async () => {
    migration['down'] = command('down 0');
    expect(outcome(await deploy('1.0.0'))).toEqual([0, 'deployed']);
    expect(log()).toEqual(['up 1.0.0 running=no']);
    expect(schema()).toBe('1.0.0');
    expect(existsSync(join(site.second.folder, 'var/database.log'))).toBe(false);
  });

  it('backs up first, while the old version still runs', async () => {
    Object.assign(migration, { down: command('down 1.0.0'), backup: command('backup'), restore: command('restore') });
    expect(outcome(await deploy('1.1.0'))).toEqual([0, 'deployed']);
    expect(log()).toEqual(['backup 1.1.0 running=yes', 'up 1.1.0 running=yes']);
  });

  it('undoes what a failing up left half done, and switches nothing', async () => {
    migration['down'] = command('down 1.1.0');
    writeFileSync(join(site.first.folder, 'var/database.fails'), '');
    const ended = await deploy('1.2.0');
    expect(outcome(ended)).toEqual([1, 'aborted']);
    expect(ended.report.failure).toMatchObject({
      phase: 'migrate',
      host: 'web-01',
      message: 'web-01: up of migration orders failed with exit code 3: db: syntax error near FROM',
    });
    expect(log()).toEqual(['up 1.2.0 running=yes', 'down 1.2.0 running=yes']);
    expect(schema()).toBe('1.1.0');
    expect(await site.versions()).toEqual(site.all('1.1.0'));
    expect(site.leftovers()).toEqual([]);
  });

  it('does nothing to the data when a failing up changed nothing', async () => {
    Object.assign(migration, { down: command('down 1.1.0'), up: 'exit 5' });
    expect(outcome(await deploy('1.2.1'))).toEqual([1, 'aborted']);
    expect(log()).toEqual([]);
    expect(schema()).toBe('1.1.0');
  });

  it('goes back in this order when the new version is red: services stopped, down, services started', async () => {
    migration['down'] = command('down 1.1.0');
    const ended = await deploy('1.3.0', 'unhealthy');
    expect(outcome(ended)).toEqual([1, 'rolled-back']);
    expect(log()).toEqual(['up 1.3.0 running=yes', 'down 1.3.0 running=no']);
    expect(schema()).toBe('1.1.0');
    expect(await site.versions()).toEqual(site.all('1.1.0'));
    expect(site.leftovers()).toEqual([]);
  });

  it('restores the backup where there is no down', async () => {
    Object.assign(migration, { backup: command('backup'), restore: command('restore') });
    const ended = await deploy('1.4.0', 'unhealthy');
    expect(outcome(ended)).toEqual([1, 'rolled-back']);
    expect(ended.report.warnings).toContain(
      'Going back from migration orders restores its backup: what is written in between is lost.',
    );
    expect(log()).toEqual(['backup 1.4.0 running=yes', 'up 1.4.0 running=yes', 'restore 1.4.0 running=no']);
    expect(schema()).toBe('1.1.0');
    expect(await site.versions()).toEqual(site.all('1.1.0'));
  });

  it('keeps the schema when the old version runs on it', async () => {
    migration['backward-compatible'] = true;
    const ended = await deploy('1.5.0', 'unhealthy');
    expect(outcome(ended)).toEqual([1, 'rolled-back']);
    expect(schema()).toBe('1.5.0');
    expect(await site.versions()).toEqual(site.all('1.1.0'));
    expect(ended.report.warnings).toContain(
      'Migration orders stays applied: the previous version runs on the new schema.',
    );
    writeFileSync(join(site.first.folder, 'var/database'), '1.1.0\n');
  });

  it('is failed and critical when the undo fails: the old code is back all the same', async () => {
    migration['down'] = 'echo no >&2; exit 4';
    const ended = await deploy('1.6.0', 'unhealthy');
    expect(outcome(ended)).toEqual([1, 'rollback-failed']);
    expect(await site.versions()).toEqual(site.all('1.1.0'));
    expect(site.first.note('CRITICAL')).not.toBeNull();

    migration['down'] = command('down 1.1.0');
    site.writeManifest((manifest) => {
      manifest['environments'].staging.migrations = { orders: migration };
    });
    expect(outcome(await recover())).toEqual([1, 'rolled-back']);
    expect(schema()).toBe('1.1.0');
    expect(site.machines.map((machine) => machine.note('CRITICAL'))).toEqual([null, null]);
    expect(site.leftovers()).toEqual([]);
  });
});

describe('without an undo, once it is applied there is no way back', () => {
  it('says so before, halts on red, and leaves the new version with a critical marker', async () => {
    const ended = await deploy('2.0.0', 'unhealthy');
    expect(ended.report.warnings).toContain(
      "Migration orders has no 'down' and no 'backup' with 'restore': once it is applied there is no way back. A red verdict after it stops and pages instead of reverting.",
    );
    // Said before anything was begun.
    expect(ended.text.indexOf('there is no way back')).toBeLessThan(ended.text.indexOf('▸ open'));
    expect(outcome(ended)).toEqual([1, 'rollback-failed']);
    expect(await site.versions()).toEqual(site.all('2.0.0'));
    expect(schema()).toBe('2.0.0');
    for (const machine of site.machines) expect(machine.note('CRITICAL')).toContain('cannot be rolled back');
  });

  it('stays so when the leases end: no host takes the old code to the new schema', async () => {
    await until(() =>
      site.machines.every((machine) => machine.note(`txn/${machine.note('active')}/state`) === 'halted'),
    );
    expect(await site.versions()).toEqual(site.all('2.0.0'));
  });

  it('is settled by recover once the new version is healthy', async () => {
    for (const machine of site.machines) writeFileSync(join(machine.root, 'well'), '');
    expect(outcome(await recover())).toEqual([0, 'deployed']);
    expect(await site.versions()).toEqual(site.all('2.0.0'));
    expect(site.machines.map((machine) => machine.note('CRITICAL'))).toEqual([null, null]);
    expect(site.leftovers()).toEqual([]);
    for (const machine of site.machines) rmSync(join(machine.root, 'well'));
  });
});

describe('secrets', () => {
  it('reach the commands and are nowhere else', async () => {
    migration['down'] = command('down 2.0.0');
    // Prints its own environment, as careless scripts do.
    migration['up'] = `echo "connecting with $DB_PASSWORD"; ${command('up')}`;
    const seen: string[] = [];
    const watch = setInterval(() => seen.push(...commandLines().filter((line) => line.includes(secret))), 5);
    const good = await deploy('2.1.0');
    const bad = await deploy('2.2.0', 'unhealthy');
    // A failing command that shows its secret: what it printed is told, and kept, without it.
    migration['up'] = `echo "access denied for $DB_PASSWORD" >&2; exit 3`;
    const failed = await deploy('2.3.0');
    clearInterval(watch);
    expect([outcome(failed), failed.report.failure?.message]).toEqual([
      [1, 'aborted'],
      'web-01: up of migration orders failed with exit code 3: access denied for ***',
    ]);
    expect([outcome(good), outcome(bad)]).toEqual([
      [0, 'deployed'],
      [1, 'rolled-back'],
    ]);
    expect(seen).toEqual([]);
    // The client itself has to know the password; everything that the deployment wrote has not.
    const places = [...site.machines.map(({ folder }) => folder), site.folder].flatMap((folder) =>
      filesWith(folder, secret),
    );
    expect([...new Set(places)].map((path) => path.slice(site.folder.length))).toEqual(['/web-01/var/db']);
    for (const ended of [good, bad, failed]) {
      expect(JSON.stringify([ended.outputs, ended.summary, ended.report])).not.toContain(secret);
      expect(ended.droppedOutputs).toEqual([]);
      expect(ended.text).not.toContain(secret);
    }
  });
});

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 15_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error('it did not come about within 15 s');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8')];
      } catch {
        return [];
      }
    });
}

function filesWith(folder: string, text: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isSymbolicLink()) return readlinkSync(path).includes(text) ? [path] : [];
    if (entry.isDirectory()) return filesWith(path, text);
    return entry.isFile() && readFileSync(path).includes(text) ? [path] : [];
  });
}
