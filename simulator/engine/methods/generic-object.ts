import type { ObjectState } from '../doc.ts'
import { engineError } from '../errors.ts'
import { asList, asObject, asText, type Json, withPath } from '../json.ts'
import { cubeAt, effectiveProperties, layoutOf, listAt } from '../layout/layout.ts'
import { listPages } from '../layout/list-object.ts'
import { readPages, straightPages } from '../layout/pages.ts'
import { pivotPages, stackPages } from '../layout/pivot.ts'
import { calculation, type MethodTable, method, NOTHING } from '../types.ts'
import { objectHandle } from './items.ts'
import { SELECTION_METHODS } from './selections.ts'

/** Sheets, charts, lists, session objects. */
export const OBJECT_METHODS: MethodTable<'GenericObject'> = {
  GetLayout: calculation('', ({ doc, object }) => ({ qLayout: layoutOf(object, doc) })),
  GetProperties: method('', ({ object }) => ({ qProp: object.properties })),
  GetEffectiveProperties: method('', ({ doc, object }) => ({ qProp: effectiveProperties(object, doc) })),
  SetProperties: method('qProp', ({ object }, [properties], { session }) => {
    object.properties = { ...asObject(properties), qInfo: object.properties.qInfo }
    session.dataChanged()
    return {}
  }),
  ApplyPatches: method('qPatches qSoftPatch', ({ object }, [patches], { session }) => {
    object.properties = asList(patches).reduce(applyPatch, object.properties)
    session.dataChanged()
    return {}
  }),
  GetInfo: method('', ({ object }) => ({ qInfo: object.properties.qInfo })),
  GetFullPropertyTree: method('', ({ object }) => ({ qPropEntry: propertyTree(object) })),
  GetChildInfos: method('', ({ object }) => ({ qInfos: object.children.map(({ properties }) => properties.qInfo) })),
  GetChild: method('qId', ({ doc, object }, [id], call) => {
    const child = object.children.find((one) => one.id === asText(id))
    return child ? objectHandle(child, { type: 'Doc', doc }, call) : NOTHING
  }),
  GetParent: method('', ({ doc, object }, _args, call) =>
    object.parent ? objectHandle(object.parent, { type: 'Doc', doc }, call) : NOTHING,
  ),
  GetLinkedObjects: method('', () => ({ qItems: [] })),
  GetSnapshotObject: method('', ({ doc, object }, _args, call) => {
    const snapshot = object.children.find(({ type }) => type === 'snapshot')
    return snapshot ? objectHandle(snapshot, { type: 'Doc', doc }, call) : NOTHING
  }),

  GetHyperCubeData: calculation('qPath qPages', ({ doc, object }, [path, pages]) => {
    const cube = cubeAt(object, asText(path), doc)
    const areas = readPages(pages)
    return { qDataPages: cube.mode === 'S' ? straightPages(cube, areas, doc.context) : [] }
  }),
  GetHyperCubeReducedData: calculation('qPath qPages qZoomFactor qReductionMode', ({ doc, object }, [path, pages]) => {
    const cube = cubeAt(object, asText(path), doc)
    const areas = readPages(pages)
    return { qDataPages: cube.mode === 'S' ? straightPages(cube, areas, doc.context) : [] }
  }),
  GetHyperCubePivotData: calculation('qPath qPages', ({ doc, object }, [path, pages]) => {
    const cube = cubeAt(object, asText(path), doc)
    const areas = readPages(pages)
    return { qDataPages: cube.mode === 'P' ? pivotPages(cube, areas) : [] }
  }),
  GetHyperCubeStackData: calculation('qPath qPages qMaxNbrCells', ({ doc, object }, [path, pages]) => {
    const cube = cubeAt(object, asText(path), doc)
    const areas = readPages(pages)
    return { qDataPages: cube.mode === 'K' ? stackPages(cube, areas) : [] }
  }),
  GetListObjectData: calculation('qPath qPages', ({ doc, object }, [path, pages]) => ({
    qDataPages: listPages(listAt(object, asText(path), doc), readPages(pages)),
  })),

  ...SELECTION_METHODS,
}

/** `NxPatch`: its value is JSON in a string. */
function applyPatch(properties: Json, patch: unknown): Json {
  const { qOp, qPath, qValue } = asObject(patch)
  const isRemoval = qOp === 'remove' || qOp === 'Remove' || qOp === 1
  try {
    return withPath(properties, asText(qPath), isRemoval ? undefined : JSON.parse(asText(qValue, 'null')))
  } catch {
    throw engineError('INVALID_PARAMETERS', asText(qValue))
  }
}

function propertyTree(object: ObjectState): Json {
  return {
    qProperty: object.properties,
    qChildren: object.children.map(propertyTree),
    qEmbeddedSnapshotRef: null,
  }
}
