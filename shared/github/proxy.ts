import { EnvHttpProxyAgent, fetch as undiciFetch } from 'undici';
import { SafeguardError } from '../errors';

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The fetch that goes through the proxy named by `https_proxy`, `http_proxy` and `no_proxy` in small or capital
 * letters, or Node's own where none is named: it knows of proxies only since Node 24, and only when told to.
 * Throws SafeguardError, fault `configuration`, code `proxy-invalid`; the address is not shown, as it may hold a password.
 */
export function fetchFor(variables: Variables): typeof fetch {
  const named = (name: string) => variables[name] || variables[name.toUpperCase()] || '';
  const httpProxy = withScheme(named('http_proxy'));
  const httpsProxy = withScheme(named('https_proxy'));
  if (httpProxy === '' && httpsProxy === '') return fetch;
  const noProxy = named('no_proxy');
  const dispatcher = new EnvHttpProxyAgent({ httpProxy, httpsProxy, noProxy });
  // The two fetches are the same code; only their types come from different packages.
  const throughProxy = (input: never, init: object | undefined) => undiciFetch(input, { ...init, dispatcher });
  return throughProxy as unknown as typeof fetch;
}

function withScheme(address: string): string {
  if (address === '') return '';
  const url = /^https?:\/\//i.test(address) ? address : `http://${address}`;
  if (URL.canParse(url)) return url;
  throw new SafeguardError('The address of the proxy in `https_proxy` or `http_proxy` is not a URL.', {
    fault: 'configuration',
    code: 'proxy-invalid',
    remedy: 'Correct the variable on this runner; it looks like `http://proxy.example:3128`.',
  });
}
