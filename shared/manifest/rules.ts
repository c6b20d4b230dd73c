import { contains, folderProblem } from './paths';
import { didYouMean } from './suggest';

/** A rule that two or more places of an environment break together. */
export interface Problem {
  path: string[];
  message: string;
}

/** The part of a written environment that the rules look at. */
export interface CheckedEnvironment {
  hosts: Record<string, CheckedHost>;
  components: Record<string, { root: string; roles?: string[] | undefined }>;
  migrations: Record<string, { role: string; backup?: string | undefined; restore?: string | undefined }>;
  rollout: { canary: string[] };
  paths: Record<string, string>;
}

export interface CheckedHost {
  roles: string[];
  connection?: 'ssh' | 'local' | undefined;
  address?: string;
  port?: number;
  jump?: object | undefined;
}

/** What is wrong between the parts of one environment, each with the place to point at. */
export function checkEnvironment(environment: CheckedEnvironment): Problem[] {
  return [
    ...sameMachineTwice(environment),
    ...rolesWithoutHost(environment),
    ...rootsInEachOther(environment),
    ...wrongCanary(environment),
    ...restoreWithoutBackup(environment),
  ];
}

function sameMachineTwice({ hosts }: CheckedEnvironment): Problem[] {
  const seen = new Map<string, string>();
  const problems: Problem[] = [];
  for (const [name, host] of Object.entries(hosts)) {
    const machine =
      host.connection === 'local' ? 'local' : JSON.stringify([host.address, host.port, host.jump ?? null]);
    const other = seen.get(machine);
    if (other === undefined) seen.set(machine, name);
    else {
      const message = `is the same machine as "${other}"; a machine is listed once, with all its roles`;
      problems.push({ path: ['hosts', name], message });
    }
  }
  return problems;
}

function rolesWithoutHost({ hosts, components, migrations }: CheckedEnvironment): Problem[] {
  const known = [...new Set(Object.values(hosts).flatMap((host) => host.roles))];
  const missing = (role: string) => {
    const list = known.length === 0 ? 'no host has a role' : `roles of the hosts: ${known.join(', ')}`;
    return `no host has the role "${role}"${didYouMean(role, known)}; ${list}`;
  };
  const problems: Problem[] = [];
  for (const [name, component] of Object.entries(components)) {
    for (const [index, role] of (component.roles ?? []).entries()) {
      if (known.includes(role)) continue;
      problems.push({ path: ['components', name, 'roles', String(index)], message: missing(role) });
    }
  }
  for (const [name, migration] of Object.entries(migrations)) {
    if (known.includes(migration.role)) continue;
    problems.push({ path: ['migrations', name, 'role'], message: missing(migration.role) });
  }
  return problems;
}

function runsOn(component: { roles?: string[] | undefined }, host: { roles: string[] }): boolean {
  return component.roles?.some((role) => host.roles.includes(role)) ?? true;
}

function rootsInEachOther({ hosts, components, paths }: CheckedEnvironment): Problem[] {
  const problems: Problem[] = [];
  const list = Object.entries(components);
  for (const [index, [name, component]] of list.entries()) {
    const path = ['components', name, 'root'];
    const clash = list
      .slice(0, index)
      .find(([, earlier]) => overlap(earlier.root, component.root) && shareHost(hosts, earlier, component));
    if (clash !== undefined) {
      const [other, { root }] = clash;
      const relation = root === component.root ? 'is also the root' : `overlaps ${root}, the root`;
      problems.push({ path, message: `${component.root} ${relation} of component "${other}" on the same host` });
    }
    for (const [kind, folder] of Object.entries(paths)) {
      if (folderProblem(component.root) !== null || !overlap(folder, component.root)) continue;
      problems.push({ path, message: `${component.root} overlaps paths.${kind} (${folder})` });
    }
  }
  return problems;
}

function overlap(one: string, other: string): boolean {
  return contains(one, other) || contains(other, one);
}

function shareHost(
  hosts: Record<string, CheckedHost>,
  one: { roles?: string[] | undefined },
  other: { roles?: string[] | undefined },
): boolean {
  return Object.values(hosts).some((host) => runsOn(one, host) && runsOn(other, host));
}

function wrongCanary({ hosts, components, rollout }: CheckedEnvironment): Problem[] {
  const names = Object.keys(hosts);
  const problems: Problem[] = [];
  for (const [index, canary] of rollout.canary.entries()) {
    const path = ['rollout', 'canary', String(index)];
    const host = Object.hasOwn(hosts, canary) ? hosts[canary] : undefined;
    if (host === undefined) {
      const message = `there is no host "${canary}"${didYouMean(canary, names)}; hosts: ${names.join(', ')}`;
      problems.push({ path, message });
    } else if (rollout.canary.indexOf(canary) !== index) {
      problems.push({ path, message: `names the host "${canary}" a second time` });
    } else if (!Object.values(components).some((component) => runsOn(component, host))) {
      problems.push({ path, message: `the host "${canary}" gets no component, so it cannot be a canary` });
    }
  }
  return problems;
}

function restoreWithoutBackup({ migrations }: CheckedEnvironment): Problem[] {
  return Object.entries(migrations)
    .filter(([, { backup, restore }]) => restore !== undefined && backup === undefined)
    .map(([name]) => ({
      path: ['migrations', name, 'restore'],
      message: 'there is nothing to restore without a backup command',
    }));
}
