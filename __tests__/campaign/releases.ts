import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { file, tarGz } from '../artifacts/archive';
import { components } from '../system/fleet/shop';
import { Random } from './random';
import { type Behaviour, behaviours, startVersions } from './schedule';

/** A file on a host: every release that begins to start while it is there ends at once. */
export const brokenFile = '/var/lib/shop-broken';

const serve = 'busybox httpd -f -p "$PORT" -h .';
const gate = `[ ! -e ${brokenFile} ] && [ ! -e "${brokenFile}.$(cat version)" ] || exit 7\n`;
const programs: Readonly<Record<Behaviour, string>> = {
  well: `${gate}exec ${serve}\n`,
  large: `${gate}exec ${serve}\n`,
  unhealthy: `${gate}exec ${serve}\n`,
  dies: 'exit 7\n',
  loops: `${serve} &\nsleep 0.15\nexit 7\n`,
};

/** Makes the artifacts of every version that a schedule can name, as `<component>-<version>.tar.gz`. */
export async function makeReleases(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const version of startVersions) await makeRelease(folder, version, 'well');
  for (const number of ['2.0.0', '2.5.0', '3.0.0', '3.5.0', '4.0.0', '4.5.0']) {
    for (const behaviour of behaviours) await makeRelease(folder, `${number}-${behaviour}`, behaviour);
  }
}

async function makeRelease(folder: string, version: string, behaviour: Behaviour): Promise<void> {
  for (const component of components) {
    const members = [
      file('name', `${component}\n`),
      file('version', `${version}\n`),
      file('run', programs[behaviour]),
      file('health', behaviour === 'unhealthy' ? 'DOWN\n' : `UP ${version}\n`),
      ...(behaviour === 'large' ? [file('ballast', noise(300_000))] : []),
    ];
    writeFileSync(join(folder, `${component}-${version}.tar.gz`), await tarGz(...members));
  }
}

function noise(bytes: number): Buffer {
  const random = new Random(bytes);
  return Buffer.from(Array.from({ length: bytes }, () => random.between(0, 255)));
}
