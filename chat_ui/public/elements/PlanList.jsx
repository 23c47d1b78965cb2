const { PlanList } = window.homeguardElements(React, require)
export default <PlanList {...props} act={callAction} ask={sendUserMessage} />
