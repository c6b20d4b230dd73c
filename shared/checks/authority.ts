import { open } from 'node:fs/promises';
import { SafeguardError, toError } from '../errors';

/** A bundle of all public authorities has about 220 kB. */
const maxBytes = 4 * 1024 * 1024;

/**
 * The certificates of a PEM file on the runner that a check trusts.
 *
 * @throws SafeguardError `ca-unreadable`
 */
export async function readAuthority(file: string): Promise<string> {
  const pem = await readStart(file).catch((thrown: unknown) => {
    throw unreadable(file, toError(thrown).message);
  });
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw unreadable(file, 'it holds no certificate in PEM form');
  return pem;
}

async function readStart(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(maxBytes), 0, maxBytes, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

function unreadable(file: string, why: string): SafeguardError {
  return new SafeguardError(`no data: the certificates in ${file} cannot be read on the runner: ${why}`, {
    fault: 'configuration',
    code: 'ca-unreadable',
    remedy: 'Give ca the path of a PEM file that is on the runner; a relative one counts from the working directory.',
  });
}
