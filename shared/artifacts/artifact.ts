import { SafeguardError, type SafeguardErrorOptions } from '../errors';
import { show } from '../manifest/text';

/** How the file is packed, found out from its content, never from its name. */
export type ArtifactFormat = 'tar' | 'tar.gz' | 'tar.zst';

/** An archive that was read once from end to end and may be unpacked on a host. */
export interface PreparedArtifact {
  /** Name of the component, where the caller gave one. */
  component?: string;
  /** The file to upload: the artifact itself, or the tar made of it if it was a folder. */
  path: string;
  format: ArtifactFormat;
  /** SHA-256 of the file as it is, in lower-case hex. */
  sha256: string;
  /** Size of the file. */
  bytes: number;
  /** Sum of the sizes of the files in it, without what a file system adds. */
  unpackedBytes: number;
  /** Files, folders and links in it; folders that are only implied by a path count too. */
  entries: number;
  /** Names at the top of the archive, sorted, at most 100 of them. */
  topLevel: string[];
  /** The file's bytes in order, where it was small enough to be kept. */
  content?: readonly Buffer[];
}

/** Memory for artifacts, shared by those that are prepared together; in bytes. */
export interface MemoryBudget {
  left: number;
}

export type ProblemKind = 'format' | 'damaged' | 'unsafe' | 'empty';

/** What is wrong inside of an archive, as the end of a sentence that begins with its file name. */
export class ArchiveProblem extends Error {
  readonly kind: ProblemKind;

  constructor(kind: ProblemKind, message: string) {
    super(message);
    this.name = 'ArchiveProblem';
    this.kind = kind;
  }
}

const remedies: Record<ProblemKind, string> = {
  format: 'Build the artifact as .tar, .tar.gz, .tar.zst, or give a folder.',
  damaged: 'Build or download the artifact again, and compare its checksum with the one of the build.',
  unsafe: 'Build the artifact so that everything in it stays inside of the release folder.',
  empty: 'Check the step that builds the artifact: it packed nothing.',
};

/** Which artifact a message is about. */
export interface Subject {
  path: string;
  component?: string | undefined;
}

/** One sentence that names the component and the file. The code is `artifact-` and the kind of the problem. */
export function artifactError(
  { path, component }: Subject,
  kind: string,
  sentence: string,
  options: Partial<SafeguardErrorOptions> = {},
): SafeguardError {
  const owner = component === undefined ? 'The artifact' : `The artifact of component "${component}"`;
  return new SafeguardError(`${owner}, ${show(path)}, ${sentence}.`, {
    fault: 'configuration',
    code: `artifact-${kind}`,
    ...options,
  });
}

export function problemError(subject: Subject, problem: ArchiveProblem): SafeguardError {
  return artifactError(subject, problem.kind, problem.message, { remedy: remedies[problem.kind] });
}

/** The artifact exists but the runner could not work with it: rights, a full disk, a failing one. */
export function systemError(subject: Subject, doing: string, cause: unknown): SafeguardError {
  const { code, path } = cause as NodeJS.ErrnoException;
  const reason = code ?? (cause instanceof Error ? cause.message : String(cause));
  const place = path === undefined || path === subject.path ? '' : ` (${show(path)})`;
  const remedy =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'Free disk space on the runner.'
      : "Check that the runner's user may read the artifact and write to the temporary folder.";
  return artifactError(subject, 'unreadable', `could not be ${doing}: ${reason}${place}`, { remedy, cause });
}
