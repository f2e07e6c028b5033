/** `Butler.influxDb`, `Butler.footman.influxDb`, `Butler.footman.metrics`. */
import { z } from 'zod'
import {
  cidr,
  count,
  file,
  flag,
  isHost,
  list,
  nameValue,
  noted,
  number,
  object,
  port,
  section,
  text,
} from '../config/fields.ts'

const tags = (description: string) => list(description, nameValue('tag'))

/** Login, database and retention policy of InfluxDB 1; every key is optional so that both places can be merged. */
const v1Keys = {
  auth: noted(
    object(() => ({
      enable: noted(z.boolean().optional(), { description: 'Log in.', defaultText: 'false' }),
      username: noted(z.string().optional(), { description: 'User name.', nullable: 'empty' }),
      password: noted(z.string().optional(), { description: 'Password.', nullable: 'empty' }),
    })).optional(),
    { description: 'Login of InfluxDB 1.', nullable: 'absent' },
  ),
  dbName: noted(z.string().optional(), {
    description: 'Database of InfluxDB 1, made if missing.',
    defaultText: 'butler',
  }),
  retentionPolicy: noted(
    object(() => ({
      name: noted(z.string().optional(), { description: 'Name of the retention policy.', defaultText: '10d' }),
      duration: noted(z.string().optional(), { description: 'How long points are kept.', defaultText: '10d' }),
    })).optional(),
    { description: 'Retention policy made together with a new database of InfluxDB 1.', nullable: 'absent' },
  ),
}

type V1Keys = z.output<z.ZodObject<typeof v1Keys>>

const taskTags = section('Tags of these points.', () => ({
  static: tags('Extra tags.'),
  dynamic: section('Tags taken from Qlik Sense.', () => ({ useTaskTags: flag("Add the task's tags.", true) })),
}))

const reloadTags = section('Tags of these points.', () => ({
  static: tags('Extra tags.'),
  dynamic: section('Tags taken from Qlik Sense.', () => ({
    useAppTags: flag("Add the app's tags.", true),
    useTaskTags: flag("Add the task's tags.", true),
  })),
}))

function taskResults(what: string) {
  return section(`Points about ${what}.`, () => ({ enable: flag('Store them.'), tag: taskTags }))
}

const DESCRIPTION = text('Description of a bucket or database that Footman makes.', 'Butler metrics')
const RETENTION = text('How long points are kept in a bucket or database that Footman makes.', '10d')

export const influxDb = section('InfluxDB.', () => ({
  enable: flag('Store points.'),
  hostIP: z
    .string()
    .refine((value) => value === '' || isHost(value.replace(/\/\S*$/, '')) || /^https?:\/\/\S+$/.test(value), {
      error: (issue) =>
        `must be a host name, an IP address or an address with http:// or https://, found "${issue.input}"`,
    })
    .default('')
    .meta({ description: 'Host of InfluxDB, or its address with scheme and path.', format: 'host' }),
  hostPort: port('Port of InfluxDB.', 8086),
  version: z
    .union([z.literal(1), z.literal(2), z.literal(3)])
    .optional()
    .meta({ description: 'Generation of InfluxDB: 1, 2 or 3.', defaultText: 'by the settings that are present' }),
  v1Config: noted(object(() => v1Keys).optional(), { description: 'InfluxDB 1.', nullable: 'absent' }),
  ...v1Keys,
  v2Config: section('InfluxDB 2.', () => ({
    org: text('Organisation.'),
    bucket: text('Bucket.'),
    description: DESCRIPTION,
    token: text('Token.'),
    retentionDuration: RETENTION,
  })),
  v3Config: section('InfluxDB 3.', () => ({
    database: text('Database.'),
    description: DESCRIPTION,
    token: text('Token.'),
    retentionDuration: RETENTION,
    writeTimeout: number('Time-out of a write; milliseconds.', 10_000, { min: 1 }),
    queryTimeout: number('Time-out of a query; milliseconds.', 60_000, { min: 1 }),
  })),
  tag: section('Tags of every point.', () => ({ static: tags('Tags of every point.') })),
  reloadTaskFailure: section('Points about failed reload tasks.', () => ({
    enable: flag('Store them.'),
    tailScriptLogLines: count('Last lines of the script log to store.', 20),
    tag: reloadTags,
  })),
  reloadTaskSuccess: section('Points about successful reload tasks.', () => ({
    enable: flag('Store them; also needs one of the next two.'),
    allReloadTasks: section('All reload tasks.', () => ({ enable: flag('Store all of them.') })),
    byCustomProperty: section('Marked reload tasks.', () => ({
      enable: flag('Store those whose custom property has the value.'),
      customPropertyName: text('Name of the custom property.', 'Butler_SuccessReloadTask_InfluxDB'),
      enabledValue: text('The value.', 'Yes'),
    })),
    headScriptLogLines: count('First lines of the script log to store.', 0),
    tailScriptLogLines: count('Last lines of the script log to store.', 0),
    tag: reloadTags,
  })),
  userSyncTaskSuccess: taskResults('successful user sync tasks'),
  userSyncTaskFailure: taskResults('failed user sync tasks'),
  externalProgramTaskSuccess: taskResults('successful external program tasks'),
  externalProgramTaskFailure: taskResults('failed external program tasks'),
  distributeTaskSuccess: taskResults('successful distribute tasks'),
  distributeTaskFailure: taskResults('failed distribute tasks'),
  preloadTaskSuccess: taskResults('successful preload tasks'),
  preloadTaskFailure: taskResults('failed preload tasks'),
})).transform(({ auth, dbName, retentionPolicy, ...value }) => {
  const flat: V1Keys = { auth, dbName, retentionPolicy }
  return { ...value, version: value.version ?? guessVersion(value, flat), v1Config: mergeV1(value.v1Config, flat) }
})

/** Key by key: the nested place, else the flat one, else the default. */
function mergeV1(nested: V1Keys | undefined, flat: V1Keys) {
  const auth = { ...flat.auth, ...nested?.auth }
  const retention = { ...flat.retentionPolicy, ...nested?.retentionPolicy }
  return {
    auth: { enable: auth.enable ?? false, username: auth.username ?? '', password: auth.password ?? '' },
    dbName: nested?.dbName ?? flat.dbName ?? 'butler',
    retentionPolicy: { name: retention.name ?? '10d', duration: retention.duration ?? '10d' },
  }
}

interface VersionHints {
  readonly v1Config?: V1Keys
  readonly v2Config: { readonly token: string }
  readonly v3Config: { readonly token: string }
}

function guessVersion(value: VersionHints, flat: V1Keys): 1 | 2 | 3 {
  if (value.v1Config !== undefined || Object.values(flat).some((key) => key !== undefined)) return 1
  const v2 = value.v2Config.token !== ''
  const v3 = value.v3Config.token !== ''
  if (v2 === v3) return 1
  return v2 ? 2 : 3
}

export const footmanInfluxDb = section('More about InfluxDB.', () => ({
  storeAborted: flag('Also store aborted tasks, of all types.'),
  tls: section('https.', () => ({
    enable: flag('Use https.'),
    caFile: file('Certificate authority of InfluxDB (PEM).'),
    rejectUnauthorized: flag('Refuse a server certificate that cannot be verified.', true),
  })),
}))

export const metrics = section('Prometheus metrics at /metrics of the REST server.', () => ({
  enable: flag('Offer them.', true),
  perTask: flag('With series per task.', true),
  maxTasks: count('Tasks with series of their own; the others are counted together.', 2000, {
    min: 1,
    max: 1_000_000,
  }),
  allowFrom: list('Addresses that read metrics without credentials.', cidr),
}))

export type InfluxDbConfig = z.output<typeof influxDb>
export type FootmanInfluxDbConfig = z.output<typeof footmanInfluxDb>
export type MetricsConfig = z.output<typeof metrics>
