interface LockedPackage {
  version?: string;
  optionalDependencies?: Record<string, string>;
  [key: string]: unknown;
}

/** The part of a package-lock.json that matters here. */
export interface Lock {
  packages: Record<string, LockedPackage>;
  [key: string]: unknown;
}

/**
 * The lock with an entry for every optional package of another platform that has none, and their names. Throws an Error
 * for one whose version is a range, or whose name does not tell its platform.
 */
export function completeLock(lock: Lock): { lock: Lock; added: string[] } {
  const packages = { ...lock.packages };
  const added: string[] = [];
  for (const { optionalDependencies = {} } of Object.values(lock.packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const place = `node_modules/${name}`;
      if (packages[place] !== undefined) continue;
      if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`${name}: the version ${version} is not exact`);
      packages[place] = { version, ...platformOf(name), dev: true, optional: true };
      added.push(name);
    }
  }
  return { lock: { ...lock, packages: sorted(packages) }, added };
}

const platform =
  /-(?<os>android|darwin|freebsd|linux|openharmony|win32)-(?<cpu>arm64|arm|ia32|loong64|ppc64|riscv64|s390x|x64)(-(?<abi>gnu|musl|gnueabihf|musleabihf|eabi|msvc))?$/;

function platformOf(name: string): { cpu: string[]; os: string[]; libc?: string[] } {
  const { os, cpu, abi = '' } = platform.exec(name)?.groups ?? {};
  if (os === undefined || cpu === undefined) throw new Error(`${name}: the name does not tell the platform`);
  const libc = abi.startsWith('musl') ? ['musl'] : abi.startsWith('gnu') ? ['glibc'] : null;
  return { cpu: [cpu], ...(libc ? { libc } : {}), os: [os] };
}

/** In npm's order, so that its next writing changes nothing. */
function sorted(packages: Record<string, LockedPackage>): Record<string, LockedPackage> {
  return Object.fromEntries(Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
}
