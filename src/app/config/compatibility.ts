/**
 * `Butler.footman.compatibility`: everything where taking a file of Butler over unchanged and being strict differ.
 * docs/from-butler.md shows the table.
 */

import type { COMPATIBILITIES } from '../../config/process.ts'
import { type MapNode, nodeAt } from '../../config/tree.ts'
import type { Check, CheckContext } from './checks/check.ts'

/** The result of resolving `auto`. */
export type Compatibility = Exclude<(typeof COMPATIBILITIES)[number], 'auto'>

export interface CompatibilityRule {
  /** The setting, below `Butler`; in words when there are many. */
  readonly setting: string
  /** Its meaning with `butler` and with `strict`. */
  readonly butler: string
  readonly strict: string
  /** Changes the parsed configuration to the behaviour of Butler. The other rules are applied while the file is read. */
  readonly adopt?: (context: CheckContext) => void
}

export const COMPATIBILITY_RULES = {
  mailTls: {
    setting: '`emailNotification.smtp.tls.requireTLS`, `ignoreTLS`, `serverName`',
    butler: 'without effect, as in Butler: STARTTLS is used when the server offers it',
    strict: 'honoured: with `requireTLS` nothing leaves without TLS',
    adopt: ({ config: { emailNotification }, written, report }) => {
      const { enable, smtp } = emailNotification
      const path = 'emailNotification.smtp.tls.requireTLS'
      const claimed = enable && !smtp.secure && smtp.tls.requireTLS && written(path)
      Object.assign(smtp.tls, { requireTLS: false, ignoreTLS: false, serverName: '' })
      if (!claimed) return
      const message = 'has no effect, as in Butler: mail leaves unencrypted when the server offers no STARTTLS'
      report('warning', path, message, { hint: `"footman doctor" shows whether it does; ${STRICT}` })
    },
  },
  createDir: {
    setting: '`restServerEndpointsEnable.createDir`',
    butler: 'makes directories anywhere, as in Butler, unless `footman.files.createDirApprovedDirectories` is set',
    strict: 'makes directories in approved directories only, else 403',
    adopt: ({ config: { footman, restServerConfig, restServerEndpointsEnable }, report }) => {
      if (!restServerConfig.enable || !restServerEndpointsEnable.createDir) return
      if (footman.files.createDirApprovedDirectories) return
      footman.files.createDirAllowAnywhere = true
      const message = 'callers of the REST API can make directories anywhere, as in Butler'
      const hint = `list the directories in Butler.footman.files.createDirApprovedDirectories; ${STRICT}`
      report('warning', 'restServerEndpointsEnable.createDir', message, { hint })
    },
  },
  emptySources: {
    setting: '`udpServerConfig.enableSourceValidation: true` with an empty `allowedSources`',
    butler: 'messages of every sender are accepted, as in Butler',
    strict: 'an error: the UDP server stays off',
    adopt: ({ config: { udpServerConfig: udp }, report }) => {
      if (!udp.enableSourceValidation || udp.allowedSources.length > 0) return
      udp.enableSourceValidation = false
      if (!udp.enable) return
      const message = 'is empty, so every sender is accepted although enableSourceValidation is true, as in Butler'
      report('warning', 'udpServerConfig.allowedSources', message, {
        hint: `list the addresses of the Qlik Sense nodes; ${STRICT}`,
      })
    },
  },
  unusedValues: {
    setting:
      'placeholders (`<...>`) and unusable values where they are not needed: in sections that are switched off, in links',
    butler: 'count as not set; one line with their number',
    strict: 'count as not set; one warning for each',
  },
  noSwitch: {
    setting:
      'sections without `enable` in files of Butler 2 (`mqttConfig`, `udpServerConfig`, `restServerConfig` with its endpoints, `slackConfig`)',
    butler: 'on, as in Butler 2',
    strict: 'off',
  },
} as const satisfies Readonly<Record<string, CompatibilityRule>>

const STRICT = 'Butler.footman.compatibility: strict refuses it'

export type CompatibilityRuleName = keyof typeof COMPATIBILITY_RULES

/** Whether a rule is applied as in Butler. The one place where the two modes part. */
export function isAsInButler(_rule: CompatibilityRuleName, compatibility: (typeof COMPATIBILITIES)[number]): boolean {
  return compatibility === 'butler'
}

/** The rules that need the parsed values. */
export const adoptButlersWays: Check = (context) => {
  const { compatibility } = context.config.footman
  for (const [name, rule] of Object.entries(COMPATIBILITY_RULES)) {
    if ('adopt' in rule && isAsInButler(name as CompatibilityRuleName, compatibility)) rule.adopt(context)
  }
}

/** Whether the file has settings of Footman's own, and so was made or changed for it. */
export function hasOwnSettings(root: MapNode): boolean {
  const butler = nodeAt(root, ['Butler'])
  return butler?.kind === 'map' && [...butler.entries.keys()].some((key) => key.toLowerCase() === 'footman')
}

/** The compatibility of the file, with `auto` resolved. An unknown word is reported when the values are checked. */
export function compatibilityOf(root: MapNode, ownSettings: boolean): Compatibility {
  const node = nodeAt(root, ['Butler', 'footman', 'compatibility'])
  const word = node?.kind === 'scalar' ? String(node.value).trim().toLowerCase() : ''
  if (word === 'butler' || word === 'strict') return word
  return ownSettings ? 'strict' : 'butler'
}
