import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { SafeguardError, toError } from '../errors';
import { quote } from '../host/quote';
import { readAuthority } from './authority';
import type { HttpTls } from './http-request';

const file = z.string().min(1);

const tlsFiles = z
  .strictObject({
    ca: file.optional().describe('PEM file on the runner with the authority of the certificate.'),
    'server-name': z.string().min(1).optional().describe('Name that the certificate must be for. Default: the host.'),
    certificate: file.optional().describe('PEM file on the runner with the certificate that the check shows.'),
    key: file.optional().describe('PEM file on the runner with the key of that certificate.'),
  })
  .refine(({ certificate, key }) => (certificate === undefined) === (key === undefined), {
    error: 'give certificate and key together',
  });

/** For servers that speak https, and may want to know who asks. The certificate is always verified. */
export const httpTlsField = z
  .union([z.literal(true), tlsFiles])
  .optional()
  .describe('Speak https, and verify the certificate. Default: speak http.');

/** For checks with an address, which says itself whether it is https. */
export const httpsFilesField = tlsFiles
  .optional()
  .describe('For https: whom to trust instead of the public authorities, and who asks.');
export type HttpTlsSpec = z.output<typeof httpTlsField>;
export type HttpsFilesSpec = z.output<typeof httpsFilesField>;

/** @throws SafeguardError `ca-unreadable`, `tls-file-unreadable` */
export async function readHttpTls(spec: HttpTlsSpec): Promise<HttpTls | undefined> {
  if (spec === undefined || spec === true) return undefined;
  const [ca, cert, key] = await Promise.all([
    spec.ca === undefined ? undefined : readAuthority(spec.ca),
    spec.certificate === undefined ? undefined : readPem(spec.certificate),
    spec.key === undefined ? undefined : readPem(spec.key),
  ]);
  const servername = spec['server-name'];
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
  };
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (thrown) {
    throw new SafeguardError(`no data: the file ${path} cannot be read: ${toError(thrown).message}`, {
      fault: 'configuration',
      code: 'tls-file-unreadable',
      remedy: 'Put the file on the runner before the check, or correct the path.',
    });
  }
}

/** The same for curl. */
export function curlTls(spec: HttpTlsSpec): string[] {
  if (spec === undefined || spec === true) return [];
  return [
    ...(spec.ca === undefined ? [] : [`--cacert ${quote(spec.ca)}`]),
    ...(spec.certificate === undefined ? [] : [`--cert ${quote(spec.certificate)}`]),
    ...(spec.key === undefined ? [] : [`--key ${quote(spec.key)}`]),
  ];
}
