import { describe, expect, it } from '@jest/globals';
import { SafeguardError, UnreachableError } from '../../shared/errors';
import {
  type ConnectStage,
  connectError,
  connectTimeout,
  isDroppedBeforeHandshake,
} from '../../shared/host/ssh-errors';

const endpoint = { address: '10.0.50.21', port: 2222, user: 'deploy', hostKeys: [] };

function explain(stage: ConnectStage, message: string, facts: object = {}): SafeguardError {
  const error = Object.assign(new Error(message), facts);
  return connectError({ host: 'web-01', endpoint, stage, error, offered: ['ssh-ed25519 SHA256:abc (private key)'] });
}

describe('errors of connecting', () => {
  it.each([
    ['ECONNREFUSED', 'connection-refused'],
    ['ETIMEDOUT', 'connect-timeout'],
    ['ENOTFOUND', 'name-not-found'],
    ['EAI_AGAIN', 'name-not-found'],
    ['ENETUNREACH', 'network-unreachable'],
    ['EHOSTUNREACH', 'network-unreachable'],
    ['EACCES', 'network-unreachable'],
    ['ECONNRESET', 'connection-lost'],
    ['EPIPE', 'connection-lost'],
  ])('of the socket: %s is %s, and the host was not reached', (socketCode, code) => {
    const error = explain('tcp', `connect ${socketCode}`, { code: socketCode, level: 'client-socket' });
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error).toMatchObject({ code, fault: 'network', host: 'web-01' });
    expect(error.message).toContain('10.0.50.21');
    expect(error.remedy).toMatch(/\.$/);
  });

  it('of the login say who tried with what, and are nobody else’s fault', () => {
    const refused = explain('authentication', 'All configured authentication methods failed', {
      level: 'client-authentication',
    });
    expect(refused).not.toBeInstanceOf(UnreachableError);
    expect(refused).toMatchObject({ code: 'auth-failed', fault: 'configuration' });
    expect(refused.message).toContain('deploy@10.0.50.21:2222');
    expect(refused.message).toContain('ssh-ed25519 SHA256:abc (private key)');
    const told = explain('authentication', 'Too many authentication failures', { code: 2 });
    expect(told).toMatchObject({ code: 'auth-failed' });
    expect(told.message).toContain('Too many authentication failures');
  });

  it('of the handshake are the host’s, unless it only hung up', () => {
    expect(explain('handshake', 'no matching key exchange', { level: 'handshake' })).toMatchObject({
      code: 'handshake-failed',
      fault: 'host',
    });
    const dropped = explain('handshake', 'Connection lost before handshake', { level: 'protocol' });
    expect(dropped).toMatchObject({ code: 'connection-lost', fault: 'network' });
    expect(isDroppedBeforeHandshake(dropped.cause)).toBe(true);
    expect(isDroppedBeforeHandshake(new Error('Host denied (verification failed)'))).toBe(false);
  });

  it('of a jump host tell a ban from a machine that is down', () => {
    expect(explain('tcp', 'open failed', { reason: 1 })).toMatchObject({ code: 'jump-refused', fault: 'host' });
    expect(explain('tcp', 'Connection refused', { reason: 2 })).toMatchObject({ code: 'connection-refused' });
    const down = explain('tcp', 'Connection timed out', { reason: 2 });
    expect(down).toBeInstanceOf(UnreachableError);
    expect(down.code).toBe('network-unreachable');
  });

  it('that are explained already stay as they are', () => {
    const error = new SafeguardError('x', { fault: 'configuration', code: 'key-missing' });
    expect(connectError({ host: 'web-01', endpoint, stage: 'tcp', error, offered: [] })).toBe(error);
  });

  it('of waiting say how far it came', () => {
    expect(connectTimeout('web-01', endpoint, 'tcp', 10_000).message).toBe(
      'web-01: deploy@10.0.50.21:2222 did not answer within 10 s',
    );
    expect(connectTimeout('web-01', endpoint, 'authentication', 500)).toMatchObject({ code: 'connect-timeout' });
  });
});
