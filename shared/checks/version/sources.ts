import * as z from 'zod';
import { pattern, templated } from '../fields';
import { headerName } from '../http-header-field';
import { requestHeaders } from '../http-headers';
import { httpsFilesField } from '../http-tls';
import { urlField } from '../http-url';

const kinds = ['release', 'version-file', 'file', 'url'] as const;
const onlyForUrl = ['header', 'tls'] as const;

/** Where a version can be read. */
export const versionSource = z
  .strictObject({
    release: z.string().min(1).optional().describe('Component whose release link is read on the host.'),
    'version-file': z.string().min(1).optional().describe('Component whose version-file is read on the host.'),
    file: templated
      .regex(/^\//, { error: 'an absolute path begins with /' })
      .optional()
      .describe('Absolute path of a file that is read on the host.'),
    url: urlField.optional().describe('Address of an endpoint that tells the version of the process.'),
    headers: requestHeaders,
    tls: httpsFilesField,
    json: z.string().min(1).optional().describe('Path of the version in a JSON document, such as build.version.'),
    header: headerName.optional().describe('Header of the answer that holds the version.'),
    matches: pattern.optional().describe('Regular expression for a longer text; its first group is the version.'),
  })
  .superRefine((source, context) => {
    const refuse = (message: string) => context.addIssue({ code: 'custom', message });
    const given = kinds.filter((kind) => source[kind] !== undefined);
    if (given.length !== 1) refuse(`give exactly one of ${kinds.join(', ')}`);
    if (source.url === undefined) {
      const lost = onlyForUrl.filter((key) => source[key] !== undefined);
      if (Object.keys(source.headers).length > 0 || lost.length > 0) refuse('headers, header and tls go with url');
    }
    if (source.release !== undefined && (source.json ?? source.matches) !== undefined) {
      refuse('a release link holds the version and nothing else: leave out json and matches');
    }
    if (source.json !== undefined && source.header !== undefined) refuse('give json or header, not both');
  });
export type VersionSource = z.output<typeof versionSource>;

/** Whether the source is another one on every host. */
export function isOnHost({ url }: VersionSource): boolean {
  return url === undefined || /\$\{host\./.test(url.replaceAll('$${', ''));
}
