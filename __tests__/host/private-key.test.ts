import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { generateKeyPair } from '../../drill/keys';
import { parsePrivateKey, tidyKeyText } from '../../shared/host/private-key';
import { generateKey } from '../support/ssh-server';

const ed25519 = generateKey();
const publicOf = (text: string, passphrase?: string): string =>
  parsePrivateKey(text, passphrase).getPublicSSH().toString('base64');
const wanted = ed25519.public.split(' ')[1] ?? '';

describe('a private key', () => {
  const text = ed25519.private;
  const shapes: Record<string, string> = {
    'as it is': text,
    'with CRLF': text.replaceAll('\n', '\r\n'),
    'with CR': text.replaceAll('\n', '\r'),
    'without a last newline': text.trimEnd(),
    'with white space around it': `\n\n  ${text}  \n\t\n`,
    'with every line indented': text.replaceAll(/^/gm, '    '),
    'with blanks instead of line ends': text.trim().replaceAll('\n', ' '),
    'on one line with \\n': text.replaceAll('\n', '\\n'),
    'on one line with \\r\\n': text.replaceAll('\n', '\\r\\n'),
    'with a text before it': `Bag Attributes\n${text}`,
  };
  it.each(Object.keys(shapes))('is read %s', (name) => {
    expect(publicOf(shapes[name] ?? '')).toBe(wanted);
  });

  it.each([
    ['rsa', 'pkcs1'],
    ['rsa', 'pkcs8'],
    ['ec', 'sec1'],
    ['ec', 'pkcs8'],
  ] as const)('of type %s is read as PEM %s, pasted in any shape', (type, format) => {
    const { privateKey } =
      type === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ type: format as 'pkcs8', format: 'pem' }).toString();
    const parsed = publicOf(pem);
    expect(publicOf(pem.trim().replaceAll('\n', '\r\n'))).toBe(parsed);
    expect(publicOf(pem.trim().replaceAll('\n', ' '))).toBe(parsed);
    const locked = privateKey
      .export({ type: format as 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'open sesame' })
      .toString();
    expect(publicOf(locked, 'open sesame')).toBe(parsed);
    expect(publicOf(locked.replaceAll('\n', '\r\n'), 'open sesame')).toBe(parsed);
  });

  it('with a passphrase needs the right one', () => {
    const locked = generateKeyPair('open sesame');
    expect(publicOf(locked.privateKey, 'open sesame')).toBe(locked.publicKey.split(' ')[1]);
    for (const passphrase of [undefined, '', 'wrong']) {
      expect(() => parsePrivateKey(locked.privateKey, passphrase)).toThrow(
        expect.objectContaining({ code: 'key-passphrase', fault: 'configuration' }),
      );
    }
  });

  it('without a passphrase does not mind one that is given', () => {
    expect(publicOf(text, 'not needed')).toBe(wanted);
  });

  it('that is none is refused, without its text in the message', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    for (const bad of [
      '',
      ' \n',
      'hunter2-hunter2',
      ed25519.public,
      text.slice(0, 200),
      text.replaceAll('A', 'B'),
      pkcs8,
    ]) {
      let thrown: unknown;
      try {
        parsePrivateKey(bad);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ code: 'key-invalid', fault: 'configuration' });
      expect((thrown as Error).message).not.toContain('hunter2');
    }
    expect(() => parsePrivateKey(ed25519.public)).toThrow('public key');
  });

  it('stays the same when it was tidy', () => {
    expect(tidyKeyText(tidyKeyText(text))).toBe(tidyKeyText(text));
  });
});
