import type { Environment } from '../../manifest/environment';
import type { PreparedCheck } from '../check';
import { type Bound, type HostSelection, selectHosts, suiteInvalid } from '../check-type';
import type { CheckContext, HostProbe } from '../context';

/**
 * A check that is asked on every selected host.
 *
 * @throws SafeguardError `suite-invalid` as `selectHosts` does
 */
export function onEachHost(
  spec: HostSelection,
  environment: Environment,
  prepare: (host: HostProbe, context: CheckContext) => PreparedCheck,
): Bound {
  return {
    hosts: selectHosts(spec, environment, environment.hosts),
    prepare: (host, context) => {
      if (host === null) throw suiteInvalid(`Health check "${spec.name}" needs a host.`, 'Ask it per host.');
      return prepare(host, context);
    },
  };
}
