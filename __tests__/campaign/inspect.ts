import { attempt } from '../system/fleet/command';
import type { FleetHost } from '../system/fleet/host';
import { components } from '../system/fleet/shop';
import type { Inspection } from './evidence';

const damageText = `
for folder in ${components.map((name) => `/srv/shop/${name}`).join(' ')}; do (
  cd "$folder" 2>/dev/null || exit 0
  [ -L current ] || { [ ! -e current ] || echo "damage $folder: current is no link"; exit 0; }
  release=$(readlink current); id=\${release#releases/}
  [ -d "$release" ] || { echo "damage $folder: current leads to $release, which is not there"; exit 0; }
  [ -f "releases/.meta/$id" ] || echo "damage $folder: $release was never finished"
  cd "$release" && sha256sum --quiet -c "../.meta/$id.sums" 2>&1 | sed "s|^|damage $folder: |"
) done
`;

const restText = `
ps -eo args= | grep '[d]eploy-safeguard/shop/agent' | sed 's/^/process /'
find /tmp -name 'deploy-safeguard.*' | sed 's/^/leftover /'
find /var/lib/deploy-safeguard \\( -name '*.tmp' -o -name '*.part' -o -name 'agent.sh.*' \\) 2>/dev/null | sed 's/^/leftover /'
find /srv/shop \\( -name '.partial.*' -o -name '.current.*' \\) 2>/dev/null | sed 's/^/leftover /'
`;

/** Promise 1 with checksums: everything that is wrong with what `current` leads to, in words. */
export async function damageOf(host: FleetHost): Promise<string[]> {
  return linesOf((await host.run(damageText)).stdout, 'damage');
}

/** What is left on a host that is on. @throws Error when it cannot be asked */
export async function inspectHost(host: FleetHost, canaries: readonly string[]): Promise<Inspection> {
  const output = await host.ask(`${damageText}${restText}true`);
  // The host's own memory: journal and temporary files. Its disk is looked at from outside.
  const inside = await host.run(`grep -rlaF ${patterns(canaries)} /run/log /tmp 2>/dev/null`);
  const outside = await attempt('grep', ['-rlaF', ...canaries.flatMap((text) => ['-e', text]), diskOf(host)]);
  return {
    host: host.name,
    processes: linesOf(output, 'process'),
    leftovers: linesOf(output, 'leftover'),
    damage: linesOf(output, 'damage'),
    secrets: [...inside.stdout.split('\n'), ...outside.stdout.split('\n')].filter(Boolean),
  };
}

/** Files below a folder of this machine that hold a canary. */
export async function secretsBelow(folder: string, canaries: readonly string[]): Promise<string[]> {
  const { stdout } = await attempt('grep', ['-rlaF', ...canaries.flatMap((text) => ['-e', text]), folder]);
  return stdout.split('\n').filter(Boolean);
}

/** What the host has written since it was installed: the upper layer of its overlay. */
function diskOf(host: FleetHost): string {
  return host.path('../disk/upper');
}

function patterns(canaries: readonly string[]): string {
  return canaries.map((text) => `-e '${text}'`).join(' ');
}

function linesOf(output: string, kind: string): string[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith(`${kind} `))
    .map((line) => line.slice(kind.length + 1));
}
