import * as z from 'zod';
import { quote } from '../../host/quote';
import { rule } from '../../manifest/fields';

/** For types that ask a Docker engine on the host. */
export const dockerShape = {
  'docker-host': z
    .string()
    .regex(
      /^(unix|tcp|ssh):\/\/\S+$/,
      rule('an engine is named as in DOCKER_HOST, such as unix:///run/user/1000/docker.sock'),
    )
    .optional()
    .describe('Engine that the host asks, as in DOCKER_HOST. Default: its own.'),
};

/** Shell text in front of the commands that ask the engine; empty for the host's own. */
export function engineOf(spec: { 'docker-host'?: string | undefined }): string {
  const engine = spec['docker-host'];
  return engine === undefined ? '' : `export DOCKER_HOST=${quote(engine)}\n`;
}
