/** `Butler.footman.settings`. */
import { z } from 'zod'
import { flag, list, section, text } from '../config/fields.ts'

export const settings = section(
  'Settings that people change in the console and over REST; they stand in the database.',
  () => ({
    editable: flag('They may be changed. false: the files rule, and pages show the settings read-only.', true),
    key: text(
      'Encrypts the secrets of stored settings; the same on all nodes of a cluster, which need it. At least 16 characters.',
      '',
      { defaultText: 'a key in the data directory' },
    ).refine((value) => value === '' || value.length >= 16, { error: 'must have at least 16 characters' }),
    allowHosts: list(
      'Hosts and addresses to which stored destinations may send although they are on this machine, link-local or of the metadata service of a cloud.',
      z.string().min(1),
    ),
  }),
)

export type SettingsConfig = z.output<typeof settings>
