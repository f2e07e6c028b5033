/** What the probes of the site have in common. */
import { QrsError } from '../../../qlik/qrs/errors.ts'
import { reasonOf } from '../../../qlik/qrs/failure.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'
import { NO_CERTIFICATES, type Site, type SiteOf } from './site.ts'

export interface SiteProbe {
  readonly group: string
  readonly title: string
  /** Beside the connection to Qlik Sense being wanted; default true. */
  applies?(context: DoctorContext): boolean
  run(site: Site, context: DoctorContext): Promise<readonly Finding[]>
}

/** Left out without a connection to Qlik Sense; quiet while QRS cannot be asked, which the probe of the connection tells. */
export function siteProbe(sites: SiteOf, { group, title, applies = () => true, run }: SiteProbe): Probe {
  return {
    group,
    title,
    applies: (context) => context.loaded.qlikConnection && applies(context),
    async run(context) {
      const site = sites(context)
      const silent = (message: string): readonly Finding[] =>
        site.firstSilence() ? [{ level: 'info', code: `${group}.not-examined`, target: site.target, message }] : []
      if (context.config.configQRS.useSSL && !(await site.certificates())) return silent(NO_CERTIFICATES)
      try {
        await site.about()
        return await run(site, context)
      } catch (error) {
        if (!(error instanceof QrsError)) throw error
        return silent(
          `neither this nor anything else on the site was examined, as Qlik Sense did not answer: ${reasonOf(error)}`,
        )
      }
    },
  }
}

/** `1 task`, `3 tasks`. */
export const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

/** The first few in quotes, and how many more there are. */
export function some(names: readonly string[], most = 3): string {
  const shown = names.slice(0, most).map((name) => `"${name}"`)
  return names.length > most ? `${shown.join(', ')} and ${names.length - most} more` : shown.join(', ')
}
