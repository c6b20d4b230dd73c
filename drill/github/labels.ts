import { type ApiReply, notFound, paginate, type Route, validationFailed } from './http';
import { type Label, nodeId, type Repository } from './repository';

const namelessColor = 'ededed';

export function labelRoutes(repository: Repository): Route[] {
  return [
    {
      method: 'GET',
      path: '/repos/{owner}/{repo}/labels',
      answer: (request) => paginate(request, repository.labels),
    },
    {
      method: 'POST',
      path: '/repos/{owner}/{repo}/labels',
      answer: (request) => {
        const { name, color, description } = request.body;
        if (typeof name !== 'string' || name === '') {
          return validationFailed({ resource: 'Label', field: 'name', code: 'missing_field' });
        }
        if (color !== undefined && !(typeof color === 'string' && /^[0-9a-fA-F]{6}$/.test(color))) {
          return validationFailed({ resource: 'Label', field: 'color', code: 'invalid' });
        }
        if (findLabel(repository, name) !== undefined) {
          return validationFailed({ resource: 'Label', field: 'name', code: 'already_exists' });
        }
        const label = addLabel(repository, name, request.origin);
        if (typeof color === 'string') label.color = color;
        if (typeof description === 'string') label.description = description;
        return { status: 201, body: label };
      },
    },
    {
      method: 'GET',
      path: '/repos/{owner}/{repo}/labels/{name}',
      answer: (_request, parameters): ApiReply => {
        const label = findLabel(repository, parameters['name'] ?? '');
        return label === undefined ? notFound() : { status: 200, body: label };
      },
    },
  ];
}

/** The label of that name, made on first use as GitHub does for an issue's labels. */
export function ensureLabel(repository: Repository, name: string, origin: string): Label {
  return findLabel(repository, name) ?? addLabel(repository, name, origin);
}

function findLabel(repository: Repository, name: string): Label | undefined {
  return repository.labels.find((label) => label.name.toLowerCase() === name.toLowerCase());
}

function addLabel(repository: Repository, name: string, origin: string): Label {
  const id = repository.nextId();
  const label: Label = {
    id,
    node_id: nodeId('Label', id),
    url: `${origin}${repository.apiPath(`/labels/${encodeURIComponent(name)}`)}`,
    name,
    description: null,
    color: namelessColor,
    default: false,
  };
  repository.labels.push(label);
  return label;
}
