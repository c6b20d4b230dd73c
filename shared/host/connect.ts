import type { Host } from '../manifest/environment';
import type { HostLink } from '../ports';
import { connectLocal, type LocalOptions } from './local';
import { connectSsh, type SshOptions } from './ssh';

/** How to reach hosts: what `connectSsh` and `connectLocal` need, each taking its own part. */
export type Credentials = SshOptions & LocalOptions;

/** The link to a host, by the connection that the manifest gives it. No connection is made before the first `exec`. */
export function connect(host: Host, credentials: Credentials): HostLink {
  switch (host.connection) {
    case 'local':
      return connectLocal(host, credentials);
    case 'ssh':
      return connectSsh(host, credentials);
  }
}
