/*
 * The parts of ssh2 that a client needs, each by its file: the package's entry also loads an SSH server, agents for HTTP
 * and the making of keys, and with them Node's HTTP and TLS, at every start of an action.
 */

declare module 'ssh2/lib/client.js' {
  import { Client } from 'ssh2';
  export default Client;
}

declare module 'ssh2/lib/agent.js' {
  import { OpenSSHAgent } from 'ssh2';

  const agents: { OpenSSHAgent: typeof OpenSSHAgent };
  export default agents;
}

declare module 'ssh2/lib/protocol/keyParser.js' {
  import { utils } from 'ssh2';

  const parser: { parseKey: typeof utils.parseKey };
  export default parser;
}
