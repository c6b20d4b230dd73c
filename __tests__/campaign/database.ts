import { createHash } from 'node:crypto';
import type { Database } from './schedule';

/** Folder of the demonstration data store on its host. `schema` holds the version that the schema belongs to. */
export const databaseFolder = '/srv/db';

/** What every migration prints when it begins, so that whatever keeps its output has to mask it. */
export const databasePassword = 'canary-db-7Qx2mV9kT4pLw8Rz';

/** The migrations of the manifest's environment. */
export function migrationsOf(database: Database): object {
  if (database === 'none') return {};
  const run = (step: string) => `sh ${databaseFolder}/tool ${step}`;
  const undo =
    database === 'down'
      ? { down: run('down') }
      : database === 'restore'
        ? { backup: run('backup'), restore: run('restore') }
        : {};
  return {
    migrations: {
      schema: {
        role: 'database',
        up: run('up'),
        version: `cat ${databaseFolder}/schema`,
        secrets: ['DB_PASSWORD'],
        timeout: '20s',
        ...(database === 'compatible' ? { 'backward-compatible': true } : {}),
        ...undo,
      },
    },
  };
}

/**
 * The program that changes the schema. Its own writes are by rename, so that what is found wrong is the transaction's
 * doing. `trouble.<version>` says what goes wrong with one version.
 */
export const databaseTool = `cd ${databaseFolder} || exit 1
v=$SAFEGUARD_VERSION trouble=
[ ! -f "trouble.$v" ] || trouble=$(cat "trouble.$v")
if [ "$1" != version ]; then
  [ "$(printf %s "$DB_PASSWORD" | sha256sum | cut -c1-64)" = ${createHash('sha256').update(databasePassword).digest('hex')} ] || { echo "the password is wrong"; exit 9; }
fi
put() { printf '%s\\n' "$2" >"$1.$$" && mv "$1.$$" "$1"; }
echo "$1 of $v with password $DB_PASSWORD"
case $1 in
  up)
    [ "$trouble" != up ] || exit 1
    [ -s "before.$v" ] || put "before.$v" "$(cat schema)" || exit 1
    put schema "$v" || exit 1
    [ "$trouble" != half ] || exit 1
    ;;
  down)
    [ "$trouble" != down ] || exit 1
    put schema "$(cat "before.$v")" || exit 1
    rm -f "before.$v"
    ;;
  backup) put "backup.$v" "$(cat schema)" ;;
  restore)
    [ "$trouble" != down ] || exit 1
    put schema "$(cat "backup.$v")"
    ;;
esac
`;
