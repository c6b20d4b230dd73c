/** What is wrong with an absolute folder of ours on a host, as the end of a sentence, or null. */
export function folderProblem(path: string): string | null {
  if (!path.startsWith('/')) return 'must be absolute, that is start with /';
  if (/[\s\p{Cc}]/u.test(path)) return 'must not contain white space or control characters';
  // The same path stands in unit files and crontabs, which each give other characters a meaning of their own.
  const odd = /[%$\\'"`]/.exec(path);
  if (odd !== null) return `must not contain ${odd[0]}`;
  if (path === '/') return 'must not be the root of the file system';
  const segments = path.slice(1).split('/');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    return 'must be written without //, . or .. and without a slash at the end';
  }
  if (segments.length === 1 && systemFolders.has(path))
    return 'is a folder of the system; use a folder of its own below';
  if (sharedFolders.has(path)) return 'is shared by other programs; use a folder of its own below';
  if (neverBelow.some((folder) => contains(folder, path))) return 'lies in a folder that belongs to the system';
  return null;
}

/** The folder is the path itself or one of its parents. Both absolute and normalised. */
export function contains(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? folder : `${folder}/`);
}

const neverBelow = [
  '/bin',
  '/boot',
  '/dev',
  '/lib',
  '/lib32',
  '/lib64',
  '/proc',
  '/sbin',
  '/sys',
  '/usr/bin',
  '/usr/sbin',
];

const systemFolders = new Set([
  ...['/bin', '/boot', '/dev', '/etc', '/home', '/lib', '/lib32', '/lib64', '/media', '/mnt', '/opt', '/proc', '/root'],
  ...['/run', '/sbin', '/srv', '/sys', '/tmp', '/usr', '/var'],
]);

const sharedFolders = new Set([
  ...['/usr/lib', '/usr/local', '/usr/local/bin', '/usr/local/lib', '/usr/share', '/etc/systemd', '/etc/ssh'],
  ...['/var/lib', '/var/log', '/var/run', '/var/tmp', '/var/cache', '/var/spool', '/var/backups'],
]);
