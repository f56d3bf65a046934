package example;

import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.crac.Context;
import org.crac.Core;
import org.crac.Resource;

/** Tells what happened around its snapshot. */
public class Snapshots implements RequestHandler<Object, Map<String, Object>> {
    static final List<String> COURSE = new ArrayList<>();
    private static final List<Resource> HELD = new ArrayList<>();
    private static final String AT_INIT = UUID.randomUUID().toString();

    public Snapshots() {
        register("first");
        register("last");
    }

    private static void register(String name) {
        Resource resource = new Resource() {
            @Override
            public void beforeCheckpoint(Context<? extends Resource> context) {
                fail("before");
                COURSE.add("before: " + name);
            }

            @Override
            public void afterRestore(Context<? extends Resource> context) {
                fail("after");
                COURSE.add("after: " + name);
            }
        };
        HELD.add(resource);
        Core.getGlobalContext().register(resource);
    }

    private static void fail(String when) {
        if (when.equals(System.getenv("FAIL"))) {
            throw new IllegalStateException("as asked");
        }
    }

    @Override
    public Map<String, Object> handleRequest(Object event, com.amazonaws.services.lambda.runtime.Context context) {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("course", COURSE);
        answer.put("atInit", AT_INIT);
        answer.put("random", Arrays.asList(UUID.randomUUID().toString(), String.valueOf(Math.random())));
        answer.put("type", System.getenv("AWS_LAMBDA_INITIALIZATION_TYPE"));
        answer.put("logStream", String.valueOf(context.getLogStreamName()));
        return answer;
    }
}
