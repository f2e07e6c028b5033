/** Giving licences back after no time at all would take them from people who work. */
import type { Check } from './check.ts'

const TYPES = ['professional', 'analyzer'] as const

export const releaseThresholds: Check = ({ config, report }) => {
  const { licenseRelease } = config.qlikSenseLicense
  if (!licenseRelease.enable) return
  for (const type of TYPES) {
    const settings = licenseRelease.licenseType[type]
    const { enable, releaseThresholdDays } = settings
    if (!enable || releaseThresholdDays >= 1) continue
    // Only matters when the start goes on in spite of errors.
    Object.assign(settings, { enable: false })
    const path = `qlikSenseLicense.licenseRelease.licenseType.${type}.releaseThresholdDays`
    report('error', path, `is ${releaseThresholdDays}: licences that are in use would be released`, {
      hint: 'write at least 1, usually 30; or set enable: false',
    })
  }
}
