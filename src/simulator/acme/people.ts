/** The people of Acme: 14 users of three directories. */

interface UserRow {
  readonly nn: number
  readonly directory: 'LAB' | 'ERP' | 'INTERNAL'
  readonly id: string
  readonly name: string
  readonly emails: readonly string[]
  readonly roles?: readonly string[]
  readonly inactive?: true
  readonly blocked?: true
  readonly removed?: true
  readonly tags?: readonly string[]
  readonly properties?: readonly (readonly [name: string, value: string])[]
}

export const USERS: readonly UserRow[] = [
  {
    nn: 1,
    directory: 'LAB',
    id: 'anna',
    name: 'Anna Andersson',
    emails: ['anna@acme.example'],
    roles: ['ContentAdmin'],
  },
  {
    nn: 2,
    directory: 'LAB',
    id: 'bertil',
    name: 'Bertil Berg',
    emails: ['bertil@acme.example', 'b.berg@acme.example'],
  },
  { nn: 3, directory: 'LAB', id: 'carla', name: 'Carla Cruz', emails: [] },
  { nn: 4, directory: 'LAB', id: 'dora', name: 'Dora Dahl', emails: ['dora@acme.example'] },
  { nn: 5, directory: 'LAB', id: 'erik', name: 'Erik Ek', emails: ['erik@acme.example'], inactive: true },
  { nn: 6, directory: 'LAB', id: 'fatima', name: 'Fatima Farah', emails: ['fatima@acme.example'], blocked: true },
  { nn: 7, directory: 'LAB', id: 'gustav', name: 'Gustav Gran', emails: ['gustav@acme.example'], removed: true },
  { nn: 8, directory: 'LAB', id: 'hanna', name: 'Hanna Holm', emails: ['hanna@acme.example'], tags: ['license-keep'] },
  {
    nn: 9,
    directory: 'ERP',
    id: 'ivan',
    name: 'Ivan Ilic',
    emails: ['ivan@acme.example'],
    properties: [['department', 'it']],
  },
  { nn: 10, directory: 'ERP', id: 'jonna', name: 'Jonna Järvi', emails: ['jonna@acme.example'] },
  { nn: 11, directory: 'ERP', id: 'karl', name: 'Karl Kvist', emails: ['karl@acme.example', 'karl@erp.acme.example'] },
  { nn: 12, directory: 'INTERNAL', id: 'sa_repository', name: 'sa_repository', emails: [], roles: ['RootAdmin'] },
  { nn: 13, directory: 'INTERNAL', id: 'sa_scheduler', name: 'sa_scheduler', emails: [], roles: ['RootAdmin'] },
  { nn: 14, directory: 'INTERNAL', id: 'sa_api', name: 'sa_api', emails: [], roles: ['RootAdmin'] },
]

export const USER_DIRECTORIES = [
  { nn: 1, name: 'LAB', type: 'Repository.UserDirectoryConnectors.LDAP.ActiveDirectory' },
  { nn: 2, name: 'ERP', type: 'Repository.UserDirectoryConnectors.LDAP.GenericLdap' },
] as const
