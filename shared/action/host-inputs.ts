import type { Credentials } from '../host/connect';
import { parseKnownHosts } from '../host/known-hosts';
import type { Log } from '../ports';
import type { Variables } from './context';
import { optionalSecret, optionalString, requiredString } from './readers';
import { registerSecrets } from './secrets';

/** What every action that reaches hosts is given. */
export interface HostInputs {
  manifest: string;
  environment: string;
  privateKey: string | null;
  knownHosts: string;
}

/** @throws SafeguardError of fault `configuration` */
export function readHostInputs(): HostInputs {
  return {
    manifest: optionalString('manifest') ?? '.github/safeguard.yml',
    environment: requiredString('environment'),
    privateKey: optionalSecret('ssh-private-key'),
    knownHosts: optionalString('ssh-known-hosts') ?? '',
  };
}

/** A passphrase and the ssh-agent come from the environment, as with `ssh` itself. */
export function credentialsOf(inputs: HostInputs, variables: Variables, log: Log): Credentials {
  const passphrase = variables['SSH_PRIVATE_KEY_PASSPHRASE'] || undefined;
  registerSecrets([passphrase]);
  return {
    privateKey: inputs.privateKey ?? undefined,
    passphrase,
    agentSocket: variables['SSH_AUTH_SOCK'] || undefined,
    knownHosts: parseKnownHosts(inputs.knownHosts),
    log,
  };
}
