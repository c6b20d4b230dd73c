/** A request as the resources of the embedded GitHub see it. */
export interface ApiRequest {
  method: string;
  /** Without the query. */
  path: string;
  query: URLSearchParams;
  /** Parsed JSON; an empty object when there was no body. */
  body: Record<string, unknown>;
  /** Origin that clients reach the server at, for the addresses in replies. */
  origin: string;
}

export interface ApiReply {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

/** One endpoint: a method, a path with `{name}` parts, and what answers. */
export interface Route {
  method: string;
  path: string;
  answer(request: ApiRequest, parameters: Record<string, string>): ApiReply;
}

export interface FieldProblem {
  resource: string;
  field: string;
  code: 'missing' | 'missing_field' | 'invalid' | 'already_exists' | 'custom';
  message?: string;
}

const manual = 'https://docs.github.com/rest';

export function notFound(): ApiReply {
  return { status: 404, body: { message: 'Not Found', documentation_url: manual, status: '404' } };
}

export function badCredentials(): ApiReply {
  return { status: 401, body: { message: 'Bad credentials', documentation_url: manual, status: '401' } };
}

export function validationFailed(...errors: FieldProblem[]): ApiReply {
  return {
    status: 422,
    body: { message: 'Validation Failed', errors, documentation_url: manual, status: '422' },
  };
}

/** Entries on a page: at most, and where the request does not say. */
export interface PageSize {
  most: number;
  fallback: number;
}

const usualSize: PageSize = { most: 100, fallback: 30 };

/** As `paginate`, for lists that GitHub wraps into an object with their whole length. */
export function paginateList(request: ApiRequest, key: string, items: readonly unknown[], size = usualSize): ApiReply {
  const reply = paginate(request, items, size);
  return { ...reply, body: { total_count: items.length, [key]: reply.body } };
}

/** One page of a list, with the `link` header that GitHub gives: first, prev, next and last where they exist. */
export function paginate(request: ApiRequest, items: readonly unknown[], size = usualSize): ApiReply {
  const perPage = clamp(Number(request.query.get('per_page') ?? size.fallback), 1, size.most, size.fallback);
  const page = clamp(Number(request.query.get('page') ?? 1), 1, Number.MAX_SAFE_INTEGER, 1);
  const last = Math.max(1, Math.ceil(items.length / perPage));
  const address = (number: number): string => {
    const query = new URLSearchParams(request.query);
    query.set('page', String(number));
    return `<${request.origin}${request.path}?${query}>`;
  };
  const links: string[] = [];
  if (page > 1) links.push(`${address(page - 1)}; rel="prev"`);
  if (page < last) links.push(`${address(page + 1)}; rel="next"`, `${address(last)}; rel="last"`);
  if (page > 1) links.push(`${address(1)}; rel="first"`);
  return {
    status: 200,
    body: items.slice((page - 1) * perPage, page * perPage),
    ...(links.length === 0 ? {} : { headers: { link: links.join(', ') } }),
  };
}

/** Matches a path against `/repos/{owner}/{repo}/…`; null when it is another one. */
export function matchPath(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return null;
  const parameters: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? '';
    if (part.startsWith('{')) {
      if (value === '') return null;
      parameters[part.slice(1, -1)] = decodeURIComponent(value);
    } else if (part !== value) return null;
  }
  return parameters;
}

function clamp(value: number, least: number, most: number, fallback: number): number {
  return Number.isInteger(value) ? Math.min(most, Math.max(least, value)) : fallback;
}
