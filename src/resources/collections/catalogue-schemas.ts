import Type from 'typebox'
import { FreeObject, Nullable } from '../../core/schema.ts'
import { VectorIndex } from './schemas.ts'

const VectorIndexDefinition = Type.Object(
  {
    feature_uri: Type.Optional(Nullable(Type.String())),
    name: Type.String({ minLength: 1 }),
    description: Type.String({ minLength: 10 }),
    type: Type.Enum(['single', 'multi']),
    index: Type.Union([VectorIndex, FreeObject]),
  },
  { $id: 'VectorIndexDefinition' },
)

/** `available` and `missing_providers` are ours: whether the models that it needs are there. */
export const FeatureExtractorDescription = Type.Object(
  {
    feature_extractor_name: Type.String(),
    version: Type.String(),
    feature_extractor_id: Type.String(),
    description: Type.String(),
    icon: Type.String(),
    source: Type.Enum(['builtin', 'custom', 'community']),
    input_schema: FreeObject,
    output_schema: FreeObject,
    parameter_schema: Nullable(FreeObject),
    supported_input_types: Type.Array(Type.String()),
    max_inputs: Type.Record(Type.String(), Type.Integer()),
    default_parameters: FreeObject,
    costs: Type.Optional(Nullable(FreeObject)),
    required_vector_indexes: Nullable(Type.Array(VectorIndexDefinition)),
    required_payload_indexes: Nullable(Type.Array(FreeObject)),
    position_fields: Type.Array(Type.String()),
    available: Type.Boolean(),
    missing_providers: Type.Array(Type.String()),
  },
  { $id: 'FeatureExtractorResponseModel' },
)
