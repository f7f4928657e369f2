package ui

import "context"

// RefusedView is a model file that cannot be a version.
type RefusedView struct {
	Code     string // of the problem
	Operator string // that OpenCV cannot read, "" for other codes
	Node     string
	Detail   string // what exactly, and what to do
}

// refusedTitle says in a line what is wrong with a model file.
func refusedTitle(ctx context.Context, v RefusedView) string {
	switch v.Code {
	case "model_operator":
		return T(ctx, "refused.operator", "Operator", v.Operator, "Node", v.Node)
	case "model_not_onnx":
		return T(ctx, "refused.notonnx")
	case "model_large", "too_many_bytes":
		return T(ctx, "refused.large")
	case "model_external", "model_weights":
		return T(ctx, "refused.weights")
	case "model_metadata":
		return T(ctx, "refused.metadata")
	case "model_input":
		return T(ctx, "refused.input")
	case "model_outputs":
		return T(ctx, "refused.outputs")
	case "model_classes":
		return T(ctx, "refused.classes")
	case "model_crash":
		return T(ctx, "refused.crash")
	case "model_time":
		return T(ctx, "refused.time")
	case "model_memory":
		return T(ctx, "refused.memory")
	}
	return T(ctx, "refused.other")
}
